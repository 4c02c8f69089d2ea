-- All statements of the service, by name. The states and transitions are drawn in schema.sql.

-- name: opened
-- The ledger as a whole is one row; made at the first opening.
INSERT INTO ledger (id, opened, mark, clock, wall)
VALUES (1, 1, lower(hex(randomblob(4))), 0.0, :wall)
ON CONFLICT (id) DO UPDATE SET opened = opened + 1
RETURNING *;

-- name: save_clock
UPDATE ledger SET clock = :clock, wall = :wall;

-- name: session
SELECT * FROM sessions WHERE user = :user AND identifier = :identifier;

-- name: session_by_id
SELECT * FROM sessions WHERE id = :id;

-- name: count_sessions
SELECT count(*) AS count FROM sessions;

-- name: count_tasks
SELECT coalesce(sum(suspended + waiting + running + done + failed + cancelled), 0) AS everybodys,
    coalesce(sum(iif(id = :session,
        suspended + waiting + running + done + failed + cancelled, 0)), 0) AS mine
FROM sessions;

-- name: held
-- Bytes that each session's downloads hold in parts and staged files, or that a part is to get.
SELECT session, sum(CASE
    WHEN part_path IS NULL THEN coalesce(size, 0)
    WHEN phase = 'completed' THEN received
    ELSE max(coalesce(total, 0), received) END) AS bytes
FROM tasks WHERE part_path IS NOT NULL OR keep IS NOT NULL GROUP BY session;

-- name: sessions
SELECT * FROM sessions WHERE user = :user ORDER BY id;

-- name: owned_sessions
SELECT * FROM sessions WHERE owner IS NOT NULL;

-- name: epochs
SELECT id, epoch FROM sessions;

-- name: add_session
INSERT INTO sessions (user, identifier, options, created_at)
VALUES (:user, :identifier, :options, :now)
RETURNING *;

-- name: give_numbers
-- To tasks that are about to be added, and counts them: their sizes are not known yet.
UPDATE sessions SET last_task = last_task + :suspended + :waiting,
    suspended = suspended + :suspended, waiting = waiting + :waiting,
    sizeless = sizeless + :suspended + :waiting
WHERE id = :session
RETURNING last_task;

-- name: task
SELECT * FROM tasks WHERE id = :id;

-- name: tasks_by_id
SELECT * FROM tasks WHERE id IN (SELECT value FROM json_each(:tasks));

-- name: task_by_number
SELECT * FROM tasks WHERE session = :session AND number = :number;

-- name: views_by_number
-- What a TaskView is made of and no more: there may be 100,000.
SELECT id, session, number, generation, phase, waiting_for, due, reason, spec, priority, host, name,
    attempts, resumed, received, total, response, challenge, source, path, verified,
    length_unverified, error_code, error_message, created_at, completed_at
FROM tasks
WHERE session = :session AND number IN (SELECT value FROM json_each(:numbers)) ORDER BY number;

-- name: tasks_page
SELECT * FROM tasks WHERE session = :session AND number > :after ORDER BY number LIMIT :limit;

-- name: active_page
SELECT * FROM tasks WHERE session = :session AND number > :after AND phase <> 'completed'
ORDER BY number LIMIT :limit;

-- name: completed_page
SELECT * FROM tasks WHERE session = :session AND number > :after AND phase = 'completed'
ORDER BY number LIMIT :limit;

-- name: newest_completed
SELECT * FROM tasks WHERE session = :session AND phase = 'completed'
ORDER BY number DESC LIMIT :limit;

-- name: matches
-- The tasks of a session that some of these specs were submitted as before.
SELECT * FROM tasks
WHERE session = :session AND match IN (SELECT value FROM json_each(:matches));

-- name: writer_of
-- The active task that has this path (fault D10).
SELECT tasks.*, sessions.identifier FROM tasks JOIN sessions ON sessions.id = tasks.session
WHERE claim = :claim AND phase <> 'completed';

-- name: writers_of
-- Those of these paths that an active task has.
SELECT claim FROM tasks
WHERE claim IN (SELECT value FROM json_each(:claims)) AND phase <> 'completed';

-- name: add_task
-- Born suspended, or straight into waiting for its turn.
INSERT INTO tasks (session, number, phase, waiting_for, reason, deadline, remaining, spec,
    priority, match, host, name, folder, claim, confined, created_at)
VALUES (:session, :number, :phase, :waiting_for, :reason, :deadline, :remaining, :spec,
    :priority, :match, :host, :name, :folder, :claim, :confined, :now)
RETURNING *;

-- name: add_tasks
INSERT INTO tasks (session, number, phase, waiting_for, reason, deadline, remaining, spec,
    priority, match, host, name, folder, claim, confined, created_at)
VALUES (:session, :number, :phase, :waiting_for, :reason, :deadline, :remaining, :spec,
    :priority, :match, :host, :name, :folder, :claim, :confined, :now);

-- name: new_tasks
-- As ``unfinished``, of those that were just added.
SELECT id, session, number, host, priority, phase, waiting_for, due, deadline FROM tasks
WHERE session = :session AND number >= :first AND phase <> 'suspended' ORDER BY number;

-- name: reopen
-- Transition I: a completed task lives again as a new generation. What a failed one had fetched
-- is kept; a finished or cancelled one starts from nothing.
UPDATE tasks SET generation = generation + 1, phase = :phase, waiting_for = :waiting_for,
    reason = :reason, deadline = :deadline, remaining = :remaining, spec = :spec,
    priority = :priority, claim = :claim, confined = :confined,
    folder = :folder, host = :host, name = :name, attempts = 0, tries = 0, status_tries = 0,
    name_tries = 0,
    refetched = 0, intent = NULL, path = NULL, size = NULL, keep = NULL, verified = 0,
    length_unverified = 0,
    error_code = NULL, error_message = NULL, response = NULL, metrics = NULL, completed_at = NULL,
    challenge = NULL,
    held = :held, resumed = NULL, since = :now
WHERE id = :id AND phase = 'completed'
RETURNING *;

-- name: begin
-- Transition B, or C for those whose bytes are all there; what is not ready is left out.
UPDATE tasks SET phase = CASE WHEN intent IS NULL THEN 'running' ELSE 'finishing' END,
    waiting_for = NULL, due = NULL, reason = '', since = :now, attempt = attempt + 1,
    attempts = attempts + (intent IS NULL)
WHERE id IN (SELECT value FROM json_each(:tasks)) AND phase = 'waiting' AND waiting_for = 'turn'
RETURNING *;

-- name: drop_part
-- From zero: what was fetched is not used any more.
UPDATE tasks SET part_path = NULL, part_device = NULL, part_inode = NULL, extents = X'5B5D',
    validator = NULL, received = 0, total = NULL, intent = NULL
WHERE id = :id;

-- name: interrupted_uploads
-- What was being sent, with nothing to ask the server for: before recover_running.
SELECT * FROM tasks WHERE phase = 'running' AND source IS NOT NULL AND resumption IS NULL;

-- name: keep_content
INSERT OR REPLACE INTO contents (task, body) VALUES (:task, :body);

-- name: content
SELECT body FROM contents WHERE task = :task;

-- name: drop_content
DELETE FROM contents WHERE task = :task;

-- name: delete_task
DELETE FROM tasks WHERE id = :id;

-- name: unfinished
-- What a start has to take up again; few columns, since there may be 100,000.
SELECT id, session, number, host, priority, phase, waiting_for, due, deadline FROM tasks
WHERE phase NOT IN ('suspended', 'completed') ORDER BY session, number;

-- name: recover_running
-- Transition H at the start: no engine has them any more; their bytes are kept.
UPDATE tasks SET phase = 'waiting', waiting_for = 'turn', reason = 'Waits its turn'
WHERE phase = 'running';

-- name: add_event
INSERT INTO events (session, sequence, kind, task, generation, body)
VALUES (:session, :sequence, :kind, :task, :generation, :body);

-- name: give_sequences
UPDATE sessions SET last_sequence = last_sequence + :count WHERE id = :session
RETURNING last_sequence;

-- name: retract_finish
-- There is work again, and nobody was told that there was none.
DELETE FROM events WHERE session = :session AND kind = 'session_finished';

-- name: deliverable
SELECT events.*, tasks.keep
FROM events LEFT JOIN tasks ON tasks.id = events.task
WHERE events.session = :session AND sequence > :after AND parked IS NULL
ORDER BY sequence LIMIT :limit;

-- name: mark_sent
-- A page of those that can be handed out.
UPDATE events SET deliveries = deliveries + 1, in_flight = 1
WHERE session = :session AND sequence BETWEEN :first AND :last AND parked IS NULL;

-- name: land
-- A new owner: nothing is on its way any more.
UPDATE events SET in_flight = 0 WHERE session = :session AND in_flight = 1;

-- name: park
UPDATE events SET parked = :text, in_flight = 0
WHERE session = :session AND sequence = :sequence AND in_flight = 1;

-- name: unpark
UPDATE events SET parked = NULL WHERE session = :session AND parked IS NOT NULL;

-- name: acknowledge
DELETE FROM events
WHERE session = :session AND sequence IN (SELECT value FROM json_each(:sequences))
    AND in_flight = 1 AND parked IS NULL
RETURNING task;

-- name: unclaimed_keeps
-- Staged files whose events were all dealt with: their hard links can go.
SELECT * FROM tasks WHERE keep IS NOT NULL AND phase = 'completed'
    AND NOT EXISTS (SELECT 1 FROM events WHERE task = tasks.id);

-- name: all_dealt_with
-- Of these tasks, the staged ones whose events were all dealt with.
SELECT * FROM tasks WHERE id IN (SELECT value FROM json_each(:tasks)) AND keep IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM events WHERE task = tasks.id);

-- name: forget_keep
UPDATE tasks SET keep = NULL WHERE id = :id;

-- name: add_line
INSERT INTO session_log (session, number, time, source, text)
VALUES (:session, :number, :time, :source, :text);

-- name: change_line
UPDATE session_log SET time = :time, text = :text
WHERE session = :session AND number = :number;

-- name: next_line
UPDATE sessions SET last_line = last_line + 1 WHERE id = :session RETURNING last_line;

-- name: trim_log
DELETE FROM session_log WHERE session = :session AND number <= :number;

-- name: log_page
SELECT number, time, source, text FROM session_log
WHERE session = :session AND number > :after ORDER BY number LIMIT :limit;

-- name: newest_server_lines
SELECT number, time, text FROM session_log WHERE session = :session AND source = 'server'
ORDER BY number DESC LIMIT :limit;

-- name: waiting_kinds
SELECT waiting_for, reason, count(*) AS tasks, min(number) AS first FROM tasks
WHERE session = :session AND phase = 'waiting' GROUP BY waiting_for, reason
ORDER BY tasks DESC LIMIT :limit;

-- name: failed_kinds
SELECT error_code, reason, count(*) AS tasks, min(number) AS first FROM tasks
WHERE session = :session AND error_code IS NOT NULL GROUP BY error_code, reason
ORDER BY tasks DESC LIMIT :limit;

-- name: launch_candidates
-- Nobody is there to hear the events that wait: all is done, or one of them is an ask.
SELECT * FROM sessions
WHERE owner IS NULL AND launch IS NOT NULL AND launches = 1 AND undelivered > 0
    AND (suspended + waiting + running = 0 OR EXISTS (
        SELECT 1 FROM events WHERE session = sessions.id
            AND kind IN ('challenge', 'delayed_request') AND parked IS NULL))
ORDER BY id;

-- name: wanting_credentials
SELECT * FROM tasks WHERE session = :session AND waiting_for = 'credentials' ORDER BY number;

-- name: is_asked
SELECT 1 FROM events WHERE task = :task AND kind = 'challenge' AND parked IS NULL;

-- name: unasked
-- Of those, the ones about which the delegate has nothing to answer in the journal.
SELECT * FROM tasks WHERE session = :session AND waiting_for = 'credentials' AND NOT EXISTS (
    SELECT 1 FROM events WHERE task = tasks.id AND kind = 'challenge')
ORDER BY number;

-- name: oldest_undelivered
SELECT min(sequence) AS sequence FROM events WHERE session = :session AND parked IS NULL;

-- name: with_launch
SELECT * FROM sessions WHERE launch IS NOT NULL;

-- name: to_cancel
SELECT id FROM tasks WHERE session = :session AND phase NOT IN ('completed', 'canceling')
ORDER BY number LIMIT :limit;

-- name: in_phase
SELECT * FROM tasks WHERE session = :session AND phase = :phase AND number > :after
ORDER BY number LIMIT :limit;

-- name: cancelling_sessions
SELECT id FROM sessions WHERE ending = 2;

-- name: is_ending
-- Something is left to be done or to be told. A callback that raised has been told.
SELECT 1 FROM sessions
WHERE id = :session AND (suspended + waiting + running > 0 OR undelivered > 0);

-- name: holding_files
SELECT * FROM tasks WHERE session = :session AND (part_path IS NOT NULL OR keep IS NOT NULL);

-- name: to_come
-- Bytes that the user's unfinished downloads still bring, by the folder that they go to.
SELECT folder, sum(max(0, coalesce(total, 0) - received)) AS bytes FROM tasks
WHERE phase <> 'completed' AND source IS NULL
    AND session IN (SELECT id FROM sessions WHERE user = :user)
GROUP BY folder;

-- name: delete_session
DELETE FROM sessions WHERE id = :id;

-- name: keep_part
INSERT INTO kept_parts (digest, user, body, created_at) VALUES (:digest, :user, :body, :now);

-- name: kept_part
SELECT * FROM kept_parts WHERE digest = :digest AND user = :user;

-- name: use_part
UPDATE kept_parts SET used = 1 WHERE digest = :digest;

-- name: unused_parts
SELECT * FROM kept_parts WHERE user = :user AND used = 0;

-- name: old_parts
SELECT * FROM kept_parts WHERE created_at < :before;

-- name: forget_part
DELETE FROM kept_parts WHERE digest = :digest;

-- name: unfinished_tasks
SELECT coalesce(sum(waiting + running), 0) AS count FROM sessions;

-- name: removable
-- Completed, and all of it was told and dealt with.
SELECT * FROM tasks WHERE session = :session AND phase = 'completed' AND keep IS NULL
    AND NOT EXISTS (SELECT 1 FROM events WHERE task = tasks.id)
ORDER BY number LIMIT :limit;

-- name: removable_of
SELECT 1 FROM tasks WHERE id = :id AND phase = 'completed' AND keep IS NULL
    AND NOT EXISTS (SELECT 1 FROM events WHERE task = tasks.id);

-- name: count_removable
SELECT count(*) AS count FROM tasks WHERE session = :session AND phase = 'completed'
    AND keep IS NULL AND NOT EXISTS (SELECT 1 FROM events WHERE task = tasks.id);

-- name: expired
SELECT * FROM tasks WHERE completed_at < :before LIMIT :limit;

-- name: expired_of
SELECT 1 FROM tasks WHERE id = :id AND completed_at < :before;

-- name: is_active
SELECT 1 FROM tasks WHERE session = :session AND phase <> 'completed' LIMIT 1;

-- name: is_attended
-- Whether anything runs or waits that a delegate is to hear of.
SELECT 1 FROM tasks WHERE session = :session AND phase <> 'completed' AND NOT unattended LIMIT 1;

-- name: drop_events
DELETE FROM events WHERE session = :session;

-- name: every_session
SELECT id, options, owner, launch, answers, environment FROM sessions;

-- name: every_task
SELECT id, phase, spec, name, folder, part_path, extents, response, challenge, metrics, held,
    source, resumption, intent
FROM tasks;

-- name: every_event
SELECT session, sequence, body FROM events WHERE body IS NOT NULL;

-- name: delete_event
DELETE FROM events WHERE session = :session AND sequence = :sequence;

-- name: every_kept_part
SELECT digest, body FROM kept_parts;

-- name: delete_kept_part
DELETE FROM kept_parts WHERE digest = :digest;
