INSERT INTO users (email, password_hash) VALUES ('test@example.com', encode(sha256('password'), 'hex'));
