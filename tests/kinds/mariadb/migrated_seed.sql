INSERT INTO made VALUES (), ();
