-- Conversations between users of the auth service, whose migrations come first.
CREATE TABLE threads (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    title       text        NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    created_at  timestamptz NOT NULL DEFAULT now(),
    last_number bigint      NOT NULL DEFAULT 0  -- of the last message; its row is what senders queue up for
);

CREATE TABLE members (
    thread_id bigint NOT NULL REFERENCES threads (id) ON DELETE CASCADE,
    user_id   bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (thread_id, user_id)
);

CREATE INDEX members_by_user ON members (user_id);
