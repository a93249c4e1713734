-- What happened to an account, written in the transaction in which it happened.
CREATE TABLE audit (
    id      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint      NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    event   text        NOT NULL,
    at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT audit_event_known CHECK (
        event IN ('signed_up', 'logged_in', 'login_refused', 'refresh_token_reused', 'logged_out')
    )
);

CREATE INDEX audit_by_user ON audit (user_id, at);
