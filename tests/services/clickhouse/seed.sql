INSERT INTO users VALUES (1, 'ann'), (2, 'bob;');
INSERT INTO countries FORMAT JSONEachRow
{"code": "nl", "name": "Netherlands"}
{"code": "de", "name": "Germany; it's"}

INSERT INTO events (ts, user_id) VALUES ('2026-01-02 03:04:05', 1);
INSERT INTO notes VALUES ('first');
