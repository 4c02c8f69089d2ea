-- The ledger, from version 1 to version 2.

-- Nothing said how long the file is: neither the response nor the one who asked for it (fault N4).
ALTER TABLE tasks ADD COLUMN length_unverified INTEGER NOT NULL DEFAULT 0;

-- JSON: the newest TransactionMetrics of the generation; NULL: none was asked for yet.
ALTER TABLE tasks ADD COLUMN metrics BLOB;

-- JSON of the Held: what the generation before published, to stay if the source is unchanged.
ALTER TABLE tasks ADD COLUMN held BLOB;
