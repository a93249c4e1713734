-- Each customer's invoices are numbered by himself, so a number alone is not unique.
CREATE TABLE invoices (
    id       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer text        NOT NULL,
    number   text        NOT NULL,
    cents    bigint      NOT NULL CHECK (cents > 0),
    paid_at  timestamptz,
    UNIQUE (customer, number)
);
