//! The scripts that run inside Redis. Each checks everything before its first write, since Redis does
//! not undo what a failed script has written. Positions and epochs are compared as decimal strings.

use std::sync::LazyLock;

/// A script and its hash.
pub(super) struct Script {
    code: &'static str,
    hash: String,
}

impl Script {
    fn new(code: &'static str) -> Self {
        Self { code, hash: redis::Script::new(code).get_hash().to_owned() }
    }

    pub(super) fn code(&self) -> &'static str {
        self.code
    }

    pub(super) fn hash(&self) -> &str {
        &self.hash
    }
}

/// Outcomes of [`COMMIT`].
pub(super) const DONE: i64 = 0;
pub(super) const FENCED: i64 = 1;
pub(super) const UNEXPECTED_POSITION: i64 = 2;
pub(super) const SYMBOLS_OUT_OF_PLACE: i64 = 3;

/// Keys: meta, symbols. Arguments: settings, identity of the log.
/// Gives epoch, position, number of symbols, settings that were there, mark, fold state; of a state that another log was
/// folded into, 0 and that log.
///
/// An epoch is also a time stamp in milliseconds: should Redis lose its last second of writes, no
/// epoch that it gave out in that second is given out again.
pub(super) static ACQUIRE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'position', 'settings', 'log', 'mark', 'fold_state')
if meta[4] and meta[4] ~= ARGV[2] then return {'0', '0', 0, meta[4], false, false} end
local symbols = redis.call('LLEN', KEYS[2])
local time = redis.call('TIME')
local epoch = math.max(tonumber(meta[1] or '0') + 1, time[1] * 1000 + math.floor(time[2] / 1000))
epoch = string.format('%.0f', epoch)
redis.call('HSET', KEYS[1], 'epoch', epoch, 'log', ARGV[2])
redis.call('HSETNX', KEYS[1], 'settings', ARGV[1])
return {epoch, meta[2] or '0', symbols, meta[3], meta[5], meta[6]}
",
    )
});

/// Key: meta. Argument: where the log begins. Gives where it began first.
pub(super) static KEEP_BEGINNING: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
redis.call('HSETNX', KEYS[1], 'begins', ARGV[1])
return redis.call('HGET', KEYS[1], 'begins')
",
    )
});

/// Key: one that is written, read and removed in every way that the adapter does. Gives what [`super::examine`] looks at.
pub(super) static EXAMINE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local key, failed = KEYS[1], nil
local function try(...)
  local answer = redis.pcall(...)
  if not failed and type(answer) == 'table' and answer.err then
    failed = answer.err .. ' (' .. select(1, ...) .. ')'
  end
end
try('HSET', key, 'written', '1')
try('HSETNX', key, 'written', '2')
try('HGET', key, 'written')
try('HMGET', key, 'written')
try('HGETALL', key)
try('HSCAN', key, '0')
try('HEXISTS', key, 'written')
try('HLEN', key)
try('HDEL', key, 'written')
try('RPUSH', key, 'written')
try('LLEN', key)
try('LINDEX', key, '0')
try('LRANGE', key, '0', '0')
try('DEL', key)
try('XADD', key, '1-0', 'd', 'written')
try('XLEN', key)
try('XRANGE', key, '-', '+')
try('XTRIM', key, 'MINID', '2-0')
try('UNLINK', key)
try('SET', key, 'written')
try('GET', key)
try('TYPE', key)
try('DEL', key)
if failed then return redis.error_reply(failed) end
local time = redis.call('TIME')
local info = redis.call('INFO', 'server') .. redis.call('INFO', 'memory') .. redis.call('INFO', 'persistence')
local function field(name) return string.match(info, '\n' .. name .. ':([^\r\n]*)') or '' end
local function number(name) return tonumber(field(name)) or 0 end
return {time[1] * 1000 + math.floor(time[2] / 1000), field('redis_version'), field('run_id'), number('used_memory'),
        number('maxmemory'), field('maxmemory_policy'), number('aof_enabled')}
",
    )
});

/// Keys: meta, members, symbols, outbox, and quarantine where something was stepped over: while a slot moves, a script
/// on a key that is not there waits until all of it has moved.
/// Arguments: epoch, expected, position, first symbol, number of symbols, delta, number of events stepped
/// over, mark of the record at the position, fold state, the symbols, then position and entry of what was stepped over
/// in turn, then member and state.
pub(super) static COMMIT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local epoch, expected, position = ARGV[1], ARGV[2], ARGV[3]
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'position', 'committed_by')
local found = meta[2] or '0'
if meta[1] ~= epoch then return {1, meta[1] or '0'} end
if found == position and meta[3] == epoch then return {0, found} end
if found ~= expected then return {2, found} end
local symbols = tonumber(ARGV[5])
local stored = redis.call('LLEN', KEYS[3])
if symbols > 0 and stored ~= tonumber(ARGV[4]) - 1 then return {3, tostring(stored)} end
redis.call('HLEN', KEYS[2])
if KEYS[5] then redis.call('HLEN', KEYS[5]) end
redis.call('XADD', KEYS[4], position .. '-0', 'd', ARGV[6])
local function in_chunks(command, key, first, last)
  for from = first, last, 1000 do
    redis.call(command, key, unpack(ARGV, from, math.min(from + 999, last)))
  end
end
local stepped_over = 10 + symbols
local members = stepped_over + 2 * tonumber(ARGV[7])
in_chunks('RPUSH', KEYS[3], 10, stepped_over - 1)
in_chunks('HSET', KEYS[5], stepped_over, members - 1)
in_chunks('HSET', KEYS[2], members, #ARGV)
redis.call('HSET', KEYS[1], 'position', position, 'mark', ARGV[8], 'committed_by', epoch, 'fold_state', ARGV[9])
return {0, position}
",
    )
});

/// Keys: proof. Arguments: milliseconds that it stays.
pub(super) static PROVE: LazyLock<Script> =
    LazyLock::new(|| Script::new("redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])\nreturn 1\n"));

/// Keys: meta, members, symbols, outbox. Gives the epoch from which on commits are taken.
pub(super) static FORGET: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local epoch = tonumber(redis.call('HGET', KEYS[1], 'epoch') or '0') + 1
redis.call('UNLINK', KEYS[2], KEYS[3], KEYS[4])
redis.call('HDEL', KEYS[1], 'position', 'committed_by', 'settings', 'fold_state', 'log', 'mark', 'begins')
redis.call('HSET', KEYS[1], 'epoch', string.format('%.0f', epoch))
return epoch
",
    )
});

/// Keys: aggregates. Gives the positions that are stored. A snapshot that somebody prepared before is not stored any more.
///
/// A generation is a time, in microseconds: a Redis that was set back gives none out again.
pub(super) static AGGREGATES_END: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local before = tonumber(redis.call('HGET', KEYS[1], 'generation') or '0')
local time = redis.call('TIME')
local generation = math.max(time[1] * 1000000 + time[2], before + 1)
redis.call('HSET', KEYS[1], 'generation', string.format('%.0f', generation))
return redis.call('HGET', KEYS[1], 'positions')
",
    )
});

/// Keys: aggregates. Arguments: positions (separated by commas), bytes, generation. Gives 1 if it was stored, the id that it has
/// now, and positions and id of the snapshot that was there.
///
/// An id is a time, in microseconds: a Redis that was set back gives none out again.
pub(super) static SAVE_AGGREGATES: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local stored = redis.call('HMGET', KEYS[1], 'positions', 'id', 'generation')
if (stored[3] or '0') ~= ARGV[3] then return {0, '', false, false} end
if stored[1] then
  local new = string.gmatch(ARGV[1], '%d+')
  for old in string.gmatch(stored[1], '%d+') do
    if tonumber(new() or '0') < tonumber(old) then return {0, '', false, false} end
  end
end
local time = redis.call('TIME')
local id = string.format('%.0f', time[1] * 1000000 + time[2])
redis.call('HSET', KEYS[1], 'positions', ARGV[1], 'bytes', ARGV[2], 'id', id)
return {1, id, stored[1], stored[2]}
",
    )
});

/// Keys: meta, outbox. Arguments: id of the snapshot that was replaced, up to where it covers the outbox, id of the one
/// that is stored now.
///
/// Trims where the partition has heard of the replaced snapshot before: whatever this Redis was set back to since then
/// has that snapshot, or the one after it, and both cover what goes.
pub(super) static TRIM_OUTBOX: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local known = redis.call('HGET', KEYS[1], 'snapshot')
redis.call('XLEN', KEYS[2])
if known and known == ARGV[1] then redis.call('XTRIM', KEYS[2], 'MINID', ARGV[2] .. '-0') end
redis.call('HSET', KEYS[1], 'snapshot', ARGV[3])
return 1
",
    )
});

/// Keys: meta, quarantine. Arguments: epoch, field, position (0: whatever the state's is), value.
pub(super) static QUARANTINE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'position')
if meta[1] ~= ARGV[1] then return {1, meta[1] or '0'} end
if ARGV[3] ~= '0' then
  if redis.call('HEXISTS', KEYS[2], ARGV[2]) == 1 then return {0, ARGV[3]} end
  if tonumber(meta[2] or '0') >= tonumber(ARGV[3]) then return {2, meta[2]} end
end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[4])
return {0, ARGV[3]}
",
    )
});
