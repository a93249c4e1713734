CREATE TABLE ledger (entry text PRIMARY KEY);
