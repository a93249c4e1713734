-- What hangs on the COMMIT of whoever writes; and what transaction_fuzz_test.py needs.
CREATE TABLE item (a int PRIMARY KEY, b text);
CREATE PROCEDURE commit_in_between(n int) LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO item VALUES (n, 'c'); COMMIT; INSERT INTO item VALUES (n, 'c'); END $$;
CREATE FUNCTION as_tenant(name text) RETURNS text LANGUAGE sql AS $$ SELECT set_config('app.tenant', name, true) $$;
CREATE TABLE head (id int PRIMARY KEY, made_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE part (head int REFERENCES head DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE noted (a int);
CREATE TABLE told (a int);
CREATE FUNCTION tell_later() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO told VALUES (NEW.a); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER tell_later AFTER INSERT ON noted DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION tell_later();
