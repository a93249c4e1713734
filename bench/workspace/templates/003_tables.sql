-- Five hundred tables in all, with four indexes each.
DO $$
BEGIN
    FOR number IN 1..490 LOOP
        EXECUTE format(
            'CREATE TABLE extra_%s (
                id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code text UNIQUE, amount integer, made_at timestamptz)',
            number);
        EXECUTE format('CREATE INDEX ON extra_%s (amount)', number);
        EXECUTE format('CREATE INDEX ON extra_%s (made_at, amount)', number);
    END LOOP;
END
$$;
