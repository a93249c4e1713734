-- A schema of ordinary size: tables with keys, indexes and constraints.
CREATE TABLE customer (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email text NOT NULL UNIQUE,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE product (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sku text NOT NULL UNIQUE,
    title text NOT NULL,
    price_cents integer NOT NULL CHECK (price_cents >= 0)
);

CREATE TABLE purchase (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customer (id),
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'paid', 'sent')),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX purchase_by_customer ON purchase (customer_id, created_at);

CREATE TABLE purchase_line (
    purchase_id bigint NOT NULL REFERENCES purchase (id) ON DELETE CASCADE,
    product_id bigint NOT NULL REFERENCES product (id),
    quantity integer NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (purchase_id, product_id)
);

CREATE TABLE session (
    token uuid PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customer (id),
    expires_at timestamptz NOT NULL
);

CREATE INDEX session_by_expiry ON session (expires_at);

CREATE VIEW revenue AS
SELECT p.customer_id, sum(l.quantity * r.price_cents) AS cents
FROM purchase AS p
JOIN purchase_line AS l ON l.purchase_id = p.id
JOIN product AS r ON r.id = l.product_id
GROUP BY p.customer_id;
