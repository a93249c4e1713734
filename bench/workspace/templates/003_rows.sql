-- A million rows in all.
INSERT INTO customer (email, name)
SELECT 'seed' || number || '@example.com', 'Name ' || number FROM generate_series(1, 500000) AS number;

INSERT INTO product (sku, title, price_cents)
SELECT number, 'Title ' || number, number FROM generate_series(1, 500000) AS number;
