-- Five more tables, so that a server has ten.
CREATE TABLE address (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customer (id),
    line text NOT NULL
);

CREATE TABLE depot (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);

CREATE TABLE stock (
    depot_id bigint NOT NULL REFERENCES depot (id),
    product_id bigint NOT NULL REFERENCES product (id),
    quantity integer NOT NULL,
    PRIMARY KEY (depot_id, product_id)
);

CREATE TABLE delivery (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    purchase_id bigint NOT NULL REFERENCES purchase (id),
    depot_id bigint NOT NULL REFERENCES depot (id),
    sent_at timestamptz
);

CREATE TABLE note (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint REFERENCES customer (id),
    content text NOT NULL
);
