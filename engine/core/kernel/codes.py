"""Numbers with a name: event kinds, states of a request, stages, pools, answers of the kernel."""

from __future__ import annotations

# Event kinds; the order in which events at one time are handled.
ARRIVE = 0
ENQUEUE = 1
LINK = 2
LAND = 3
RETURN = 4
END = 5
FAULT = 6
CANCEL = 7  # its id is 2 * session, + 1 for a cancel from outside

NEVER = 1 << 62  # after every time that can be reached

# Pools; also the side of a retained KV entry.
ENTRY = 0
DECODE = 1
FALLBACK = 2

# Roles of a server (`config.Role`).
ROLE_COLOCATED = 0
ROLE_PREFILL = 1
ROLE_DECODE = 2

# Policies (`config.Policy`).
POLICY_RETRY = 0
POLICY_REPREFILL = 1
POLICY_FALLBACK = 2
POLICY_FAIL = 3

# Faults (`config.FaultKind`).
SERVER_DOWN = 0
SERVER_UP = 1
SERVER_SLOW = 2
LINK_RATE = 3
HANDOFF_LOSS = 4
THROTTLE = 5
STALL_UNTIL = 6
STEP_COST = 7

# Where a request is on the entry side (entry or fallback pool).
IDLE = 0
THROTTLED = 1  # refused by the router, comes again
WAITING = 2  # for ENQUEUE
PARKED = 3
QUEUED = 4
PREFILLING = 5
STAGED = 6  # prefilled, its KV lies on the prefill server
RUNNING = 7  # decodes on a COLOCATED server
REMOTE = 8  # all of it is on the decode side

# Where it is on the decode side.
D_NONE = 0
D_WAITING = 1  # for ENQUEUE, its KV staged
D_PARKED = 2
D_QUEUED = 3
D_FIFO = 4  # taken, waits for the link
D_FLOW = 5
D_LANDING = 6  # its flow has ended
D_LANDED = 7
D_RUNNING = 8

# How a request ended (`config.Status`).
FINISHED = 1
CANCELLED = 2
TOO_LONG = 3
FAILED_THROTTLED = 4
LOST_FOR_GOOD = 5
NO_SERVER = 6

# Columns of a request's row of results. The ones up to DECODE_REST exist for every pipeline, those up to DECODE_FIRST
# when there is a decode pool, the last two when something can fail.
ARRIVAL = 0
FIRST = 1
MILESTONE = 2
FINISH = 3
PACKED = 4  # emitted << 40 | hit << 16 | attempts << 8 | started << 4 | status
ROUTING = 5
PREFILL_QUEUE = 6
PREFILL = 7
DECODE_REST = 8
DECODE_QUEUE = 9
HANDOFF_QUEUE = 10
HANDOFF = 11
DECODE_FIRST = 12
LOST = 13
RETRY = 14
COLUMNS_COLOCATED = 9
COLUMNS_DISAGGREGATED = 13
COLUMNS_ALL = 15

# What the row holds until the request starts.
IN_GAP = 0
IN_HOLD = 1  # -1 - hold for a barge-in
IN_PROMPT = 2  # prompt << 32 | reuse
IN_OUTPUT = 3  # output << 32 | milestone

# Lists of a server, in this order from `sentinels + server * NUM_LISTS`; then one list of parked requests per pool.
QUEUE = 0
PRE = 1  # in prefill, in the order of admission
RUN = 2  # decoding, in the order of admission (COLOCATED) or joining (DECODE)
LANDED = 3
FIFO = 4
LEAVING = 5
LRU = 6
NUM_LISTS = 7

# Answers of `run.advance`.
DONE = 0
REACHED = 1  # the time to run to
SPENT = 2  # the events it was allowed to handle
GROW_EVENTS = 3
GROW_LOG = 4
