-- Numbered within their thread, from 1 and without gaps: whoever has seen some of them knows which are missing.
CREATE TABLE messages (
    thread_id bigint      NOT NULL REFERENCES threads (id) ON DELETE CASCADE,
    number    bigint      NOT NULL CHECK (number > 0),
    sender_id bigint      REFERENCES users (id) ON DELETE SET NULL,
    client_id text        CHECK (length(client_id) BETWEEN 1 AND 64),
    text      text        NOT NULL CHECK (length(text) BETWEEN 1 AND 4000),
    sent_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (thread_id, number),
    -- What a client sends again because it missed the answer is the same message.
    CONSTRAINT messages_once UNIQUE (thread_id, sender_id, client_id)
);
