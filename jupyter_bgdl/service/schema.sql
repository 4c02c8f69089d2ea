-- The ledger, version 1. What an invariant can be enforced by, it is enforced by here.
--
--   suspended ─A▶ waiting ─B▶ running ─C▶ finishing ─D▶ completed
--       ▲            ▲ │         │ │                        ▲  │
--       └─────E──────┴─┴────E────┘ └─F▶ canceling ────G─────┘  │
--                    ▲     (H: running ─▶ waiting)             │
--                    └────────────────── I ────────────────────┘
--
--   A resume            B its turn came: the engine has it    C all bytes are on disk, intent saved
--   D published, or failed for good (also from waiting and running)
--   E suspend           F cancel while the engine has it      G the engine let go (or D won the race)
--   H a transient fault, or the engine is gone                I a new generation: retried, reopened

CREATE TABLE ledger (
    -- One row: what is true of the ledger as a whole.
    id INTEGER PRIMARY KEY CHECK (id = 1),
    -- How often it was opened; the upper bits of every revision, so that they grow across starts.
    opened INTEGER NOT NULL,
    -- In the names of its parts, so that those of another ledger in the same folder are told apart.
    mark TEXT NOT NULL,
    -- Seconds that were counted: monotonic while a server runs, the wall clock's gap (never
    -- negative) while none does. ``due`` and ``deadline`` are points on this clock.
    clock REAL NOT NULL,
    -- Wall clock when ``clock`` was saved.
    wall REAL NOT NULL
) STRICT;

CREATE TABLE sessions (
    -- Never reused: what is in memory of one that is gone is not mistaken for another's.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user TEXT NOT NULL,
    identifier TEXT NOT NULL CHECK (length(identifier) BETWEEN 1 AND 255),
    -- JSON: the options that were ever passed explicitly.
    options BLOB NOT NULL,
    -- The fencing token. Grows whenever the session gets another owner.
    epoch INTEGER NOT NULL DEFAULT 0,
    -- JSON of the owner's KernelIdentity; NULL: nobody owns it.
    owner BLOB,
    -- The incarnation that ``epoch`` was given to. It survives the end of the lease, so that a
    -- kernel that was only believed dead comes back under its old epoch.
    incarnation TEXT,
    -- Highest numbers given out; never given again.
    last_sequence INTEGER NOT NULL DEFAULT 0,
    last_task INTEGER NOT NULL DEFAULT 0,
    last_line INTEGER NOT NULL DEFAULT 0,
    -- Sums over the session's tasks and events, kept by the triggers below; a task that is born is
    -- counted by whoever adds it (give_numbers), many at once.
    suspended INTEGER NOT NULL DEFAULT 0 CHECK (suspended >= 0),
    waiting INTEGER NOT NULL DEFAULT 0 CHECK (waiting >= 0),
    running INTEGER NOT NULL DEFAULT 0 CHECK (running >= 0),
    done INTEGER NOT NULL DEFAULT 0 CHECK (done >= 0),
    failed INTEGER NOT NULL DEFAULT 0 CHECK (failed >= 0),
    cancelled INTEGER NOT NULL DEFAULT 0 CHECK (cancelled >= 0),
    received INTEGER NOT NULL DEFAULT 0,
    total INTEGER NOT NULL DEFAULT 0,
    sizeless INTEGER NOT NULL DEFAULT 0 CHECK (sizeless >= 0),
    undelivered INTEGER NOT NULL DEFAULT 0 CHECK (undelivered >= 0),
    parked INTEGER NOT NULL DEFAULT 0 CHECK (parked >= 0),
    -- JSON of the LaunchCell, which makes the session exist again in a fresh kernel; NULL: none.
    launch BLOB,
    -- 0: a person switched launching off.
    launches INTEGER NOT NULL DEFAULT 1 CHECK (launches IN (0, 1)),
    -- Launches in a row that delivered nothing, and when the next may be, on the ledger's clock.
    fruitless INTEGER NOT NULL DEFAULT 0 CHECK (fruitless >= 0),
    launch_due REAL NOT NULL DEFAULT 0,
    -- Wall clock when a launch began last; NULL: never.
    launched_at REAL,
    -- Why a person is to run the launch cell; NULL: nobody need.
    launch_notice TEXT,
    -- 1: its owner is a kernel that the server started and that nobody has opened yet.
    launched INTEGER NOT NULL DEFAULT 0 CHECK (launched IN (0, 1)),
    -- 1: tasks were made in a kernel that the server launched, and nobody has opened its notebook
    -- since: until then they are discretionary.
    unattended INTEGER NOT NULL DEFAULT 0 CHECK (unattended IN (0, 1)),
    -- JSON: the asks (asks.Ask) that the delegate has methods for, as the last owner said.
    answers TEXT NOT NULL DEFAULT '[]',
    -- JSON: names of the environment variables that headers refer to. Their values are nowhere here.
    environment TEXT NOT NULL DEFAULT '[]',
    -- 1: it was invalidated; 2: and its tasks are cancelled. It goes when its last event,
    -- session_invalid, was dealt with.
    ending INTEGER NOT NULL DEFAULT 0 CHECK (ending IN (0, 1, 2)),
    created_at REAL NOT NULL,
    UNIQUE (user, identifier)
) STRICT;

CREATE TABLE tasks (
    -- The engine's name of it (Attempt.task). Never reused.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    -- The user's name of it, unique in its session.
    number INTEGER NOT NULL CHECK (number > 0),
    -- 1, and one more each time that it is opened again.
    generation INTEGER NOT NULL DEFAULT 1 CHECK (generation > 0),
    -- suspended: born so or paused; exempt from timeouts. Its bytes stay.
    -- waiting:   something has to happen first, see waiting_for.
    -- running:   the engine has it, under ``attempt``.
    -- finishing: all bytes are on disk and ``intent`` says what is being published.
    -- canceling: cancelled, but the engine has not let go yet.
    -- completed: done (no error), failed or cancelled; its terminal event was written with it.
    phase TEXT NOT NULL CHECK (phase IN
        ('suspended', 'waiting', 'running', 'finishing', 'canceling', 'completed')),
    waiting_for TEXT CHECK (waiting_for IN ('earliest_begin_date', 'conditions', 'network',
        'retry', 'disk_space', 'credentials', 'turn')),
    -- When it stops waiting, on the ledger's clock; NULL: not by itself.
    due REAL,
    -- Wall clock when it began to be in this phase, or to wait for this; NULL: when it was made.
    since REAL,
    -- A few words for a person.
    reason TEXT NOT NULL DEFAULT '',
    -- When timeout_for_resource is over, on the ledger's clock; NULL while suspended or completed.
    deadline REAL,
    -- What is left of timeout_for_resource while suspended, in seconds.
    remaining REAL,

    -- JSON of the TaskSpec. Holds the secrets: headers, userinfo, signed queries.
    spec BLOB NOT NULL,
    -- As in ``spec``; a start has to order the waiting tasks without reading that.
    priority REAL NOT NULL CHECK (priority BETWEEN 0 AND 1),
    -- Finds the task when it is submitted again: digest of method, URL and destination, or of key.
    match TEXT NOT NULL,
    host TEXT NOT NULL,
    name TEXT NOT NULL,
    -- Where its part is made.
    folder TEXT NOT NULL,
    -- The path that it will have, casefolded and NFC: no two active tasks may share it (fault D10).
    -- NULL until the name is known.
    claim TEXT,
    -- 1: whoever asked for it may write in the contents root only.
    confined INTEGER NOT NULL DEFAULT 0 CHECK (confined IN (0, 1)),

    -- Number of the newest unit that the engine was given; reports of older ones are ignored.
    attempt INTEGER NOT NULL DEFAULT 0,
    -- Fetches of this generation.
    attempts INTEGER NOT NULL DEFAULT 0,
    -- Consecutive failures without a new byte: of any kind, by status code, by name resolution.
    tries INTEGER NOT NULL DEFAULT 0,
    status_tries INTEGER NOT NULL DEFAULT 0,
    name_tries INTEGER NOT NULL DEFAULT 0,
    -- Whether it was fetched again because of a wrong checksum.
    refetched INTEGER NOT NULL DEFAULT 0,

    -- How many bytes it was given by resume data, until the server had it begin anew; NULL: none.
    resumed INTEGER,
    part_path TEXT,
    part_device INTEGER,
    part_inode INTEGER,
    -- JSON: byte ranges of the part that survived an fdatasync.
    extents BLOB NOT NULL DEFAULT X'5B5D',
    validator TEXT,
    received INTEGER NOT NULL DEFAULT 0 CHECK (received >= 0),
    total INTEGER CHECK (total >= 0),
    -- JSON of the ResponseView.
    response BLOB,

    -- JSON of the newest Challenge of the generation: what it waits, or waited, for credentials for.
    challenge BLOB,
    -- JSON: the newest TransactionMetrics of the generation; NULL: none was asked for yet.
    metrics BLOB,
    -- JSON of the Held: what the generation before published, to stay if the source is unchanged.
    held BLOB,

    -- JSON of the Source: the file of an upload, as it was when it was submitted. NULL: a download.
    source BLOB,
    -- JSON of the Resumption: where the server has an upload that it can go on with.
    resumption BLOB CHECK (resumption IS NULL OR source IS NOT NULL),

    -- JSON of the Intent: committed before the file gets its name, so that after a crash a target
    -- with that inode is known to be ours.
    intent BLOB,
    -- The published file, and the size by which a changed one is told.
    path TEXT,
    size INTEGER,
    -- Second hard link of a staged file; NULL once it was acknowledged and is deleted.
    keep TEXT,
    verified INTEGER NOT NULL DEFAULT 0,
    -- Nothing said how long the file is: neither the response nor the one who asked (fault N4).
    length_unverified INTEGER NOT NULL DEFAULT 0,
    error_code TEXT,
    error_message TEXT,
    created_at REAL NOT NULL,
    completed_at REAL,

    -- Not checked to be not NULL: that would compute it with each write.
    condition TEXT GENERATED ALWAYS AS (CASE
        WHEN phase IN ('suspended', 'waiting') THEN phase
        WHEN phase <> 'completed' THEN 'running'
        WHEN error_code IS NULL THEN 'done'
        WHEN error_code = 'cancelled' THEN 'cancelled'
        ELSE 'failed' END) VIRTUAL,

    -- 1: it belongs to no kernel, so nothing is told of it (model.TaskSpec).
    unattended INTEGER GENERATED ALWAYS AS (
        coalesce(CAST(spec AS TEXT) ->> '$.unattended', 0)) VIRTUAL,

    UNIQUE (session, number),
    UNIQUE (session, match),
    CHECK ((phase = 'waiting') = (waiting_for IS NOT NULL)),
    CHECK (due IS NULL OR phase = 'waiting'),
    CHECK ((phase = 'completed') = (completed_at IS NOT NULL)),
    CHECK (error_code IS NULL OR phase = 'completed'),
    CHECK ((error_code IS NULL) = (error_message IS NULL)),
    CHECK (phase <> 'finishing' OR intent IS NOT NULL),
    CHECK ((phase = 'suspended') = (remaining IS NOT NULL)),
    CHECK ((deadline IS NULL) = (phase IN ('suspended', 'completed'))),
    CHECK ((part_path IS NULL) = (part_inode IS NULL)),
    CHECK ((part_path IS NULL) = (part_device IS NULL)),
    CHECK (phase <> 'completed' OR error_code IS NOT NULL OR path IS NOT NULL
        OR (source IS NOT NULL AND response IS NOT NULL))
) STRICT;

CREATE UNIQUE INDEX tasks_one_writer ON tasks (claim)
    WHERE claim IS NOT NULL AND phase <> 'completed';
CREATE INDEX tasks_active ON tasks (session, number) WHERE phase <> 'completed';
CREATE INDEX tasks_completed ON tasks (session, number) WHERE phase = 'completed';
CREATE INDEX tasks_old ON tasks (completed_at) WHERE completed_at IS NOT NULL;
CREATE INDEX tasks_wanting ON tasks (session) WHERE waiting_for = 'credentials';
CREATE INDEX tasks_kept ON tasks (id) WHERE keep IS NOT NULL;

CREATE TABLE kept_parts (
    -- Of downloads that were cancelled for resume data, which is a secret of which this is SHA-256.
    digest TEXT PRIMARY KEY,
    user TEXT NOT NULL,
    -- JSON of the Kept.
    body BLOB NOT NULL,
    -- 1: a task has the part now.
    used INTEGER NOT NULL DEFAULT 0 CHECK (used IN (0, 1)),
    created_at REAL NOT NULL
) STRICT;

CREATE TABLE contents (
    -- What the server answered to an upload, at most 1 MiB; apart from the tasks, which are read
    -- as wholes.
    task INTEGER PRIMARY KEY REFERENCES tasks (id) ON DELETE CASCADE,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE events (
    -- The journal: what delegates have still to hear. Acknowledged rows are deleted.
    session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    sequence INTEGER NOT NULL CHECK (sequence > 0),
    kind TEXT NOT NULL CHECK (kind IN
        ('finished_downloading', 'completed', 'session_finished', 'session_invalid',
        'challenge', 'delayed_request')),
    task INTEGER REFERENCES tasks (id) ON DELETE CASCADE,
    generation INTEGER,
    -- JSON of the TaskView as it was.
    body BLOB,
    -- How often it was handed out.
    deliveries INTEGER NOT NULL DEFAULT 0,
    -- Handed out since it last became deliverable: only such an event can be acknowledged, so a
    -- cumulative acknowledgement never swallows one that was parked and came back meanwhile.
    in_flight INTEGER NOT NULL DEFAULT 0 CHECK (in_flight IN (0, 1)),
    -- The traceback of the callback that raised.
    parked TEXT,
    PRIMARY KEY (session, sequence),
    CHECK ((kind IN ('session_finished', 'session_invalid')) = (task IS NULL)),
    CHECK ((task IS NULL) = (generation IS NULL)),
    CHECK ((task IS NULL) = (body IS NULL))
) STRICT, WITHOUT ROWID;

-- Exactly one event of a kind for a task's generation; tasks_reopen below keeps it so after the
-- acknowledgement has deleted the row.
CREATE UNIQUE INDEX events_once ON events (task, generation, kind) WHERE task IS NOT NULL;
CREATE UNIQUE INDEX events_one_finish ON events (session) WHERE kind = 'session_finished';
CREATE UNIQUE INDEX events_one_end ON events (session) WHERE kind = 'session_invalid';
CREATE INDEX events_asks ON events (session)
    WHERE kind IN ('challenge', 'delayed_request') AND parked IS NULL;
CREATE INDEX events_deliverable ON events (session, sequence) WHERE parked IS NULL;

CREATE TABLE session_log (
    session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    time REAL NOT NULL,
    source TEXT NOT NULL CHECK (source IN ('callback', 'server')),
    text TEXT NOT NULL,
    PRIMARY KEY (session, number)
) STRICT, WITHOUT ROWID;

-- What is completed stays so, unless it is opened as a new generation (I).
CREATE TRIGGER tasks_reopen BEFORE UPDATE OF phase ON tasks
WHEN OLD.phase = 'completed' AND NOT (
    (NEW.phase IN ('waiting', 'suspended') AND NEW.generation = OLD.generation + 1))
BEGIN
    SELECT RAISE(ABORT, 'a completed task can only be opened as a new generation');
END;

-- A terminal event is written after the transition that it tells of, in the same transaction.
CREATE TRIGGER events_terminal BEFORE INSERT ON events
WHEN NEW.kind = 'completed' AND NOT EXISTS (
    SELECT 1 FROM tasks
    WHERE id = NEW.task AND phase = 'completed' AND generation = NEW.generation)
BEGIN
    SELECT RAISE(ABORT, 'a terminal event of a task that is not completed');
END;

-- What is asked about a task is asked as long as it waits for that: credentials, or, after its
-- date (then it has a due time as well), to be told whether to begin.
CREATE TRIGGER asks_over AFTER UPDATE OF phase, waiting_for, due ON tasks
WHEN (OLD.waiting_for = 'credentials' AND NEW.waiting_for IS NOT 'credentials')
    OR (OLD.waiting_for = 'earliest_begin_date' AND OLD.due IS NOT NULL
        AND (NEW.waiting_for IS NOT 'earliest_begin_date' OR NEW.due IS NULL))
BEGIN
    DELETE FROM events WHERE task = NEW.id AND kind IN ('challenge', 'delayed_request');
END;

CREATE TRIGGER tasks_changed AFTER UPDATE OF phase, error_code, received, total ON tasks BEGIN
    UPDATE sessions SET
        suspended = suspended + (NEW.condition = 'suspended') - (OLD.condition = 'suspended'),
        waiting = waiting + (NEW.condition = 'waiting') - (OLD.condition = 'waiting'),
        running = running + (NEW.condition = 'running') - (OLD.condition = 'running'),
        done = done + (NEW.condition = 'done') - (OLD.condition = 'done'),
        failed = failed + (NEW.condition = 'failed') - (OLD.condition = 'failed'),
        cancelled = cancelled + (NEW.condition = 'cancelled') - (OLD.condition = 'cancelled'),
        received = received + NEW.received - OLD.received,
        total = total + coalesce(NEW.total, 0) - coalesce(OLD.total, 0),
        sizeless = sizeless + (NEW.total IS NULL) - (OLD.total IS NULL)
    WHERE id = NEW.session;
END;

CREATE TRIGGER tasks_removed AFTER DELETE ON tasks BEGIN
    UPDATE sessions SET
        suspended = suspended - (OLD.condition = 'suspended'),
        waiting = waiting - (OLD.condition = 'waiting'),
        running = running - (OLD.condition = 'running'),
        done = done - (OLD.condition = 'done'),
        failed = failed - (OLD.condition = 'failed'),
        cancelled = cancelled - (OLD.condition = 'cancelled'),
        received = received - OLD.received,
        total = total - coalesce(OLD.total, 0),
        sizeless = sizeless - (OLD.total IS NULL)
    WHERE id = OLD.session;
END;

CREATE TRIGGER events_added AFTER INSERT ON events BEGIN
    UPDATE sessions SET undelivered = undelivered + 1 WHERE id = NEW.session;
END;

CREATE TRIGGER events_parked AFTER UPDATE OF parked ON events
WHEN (OLD.parked IS NULL) <> (NEW.parked IS NULL)
BEGIN
    UPDATE sessions SET
        undelivered = undelivered + (NEW.parked IS NULL) - (OLD.parked IS NULL),
        parked = parked + (NEW.parked IS NOT NULL) - (OLD.parked IS NOT NULL)
    WHERE id = NEW.session;
END;

CREATE TRIGGER events_removed AFTER DELETE ON events BEGIN
    UPDATE sessions SET
        undelivered = undelivered - (OLD.parked IS NULL),
        parked = parked - (OLD.parked IS NOT NULL)
    WHERE id = OLD.session;
END;
