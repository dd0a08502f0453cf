// The protocol of Aloft. Made from the Rust types; do not edit.
// Unknown values and fields may appear in newer versions: ignore them.

/** Why an account could not be asked. */
export type AccountProblem = {
  /** Which one. */
  account: ForgeAccount;
  /** Why. */
  problem: Problem;
};

/** What a diff is against. */
export type Against = "base"
  | "mergeBase"
  | "uncommitted"
  | {
    turn: number;
  };

/** A program that thinks. */
export type Agent = {
  /** Used when none is named. */
  default?: boolean;
  /** How to mend it. */
  hint?: string;
  /** As in `--agent`. */
  name: string;
  /** Why not. */
  reason?: string;
  /** Can be used now. */
  usable: boolean;
  /** Of the program, where known. */
  version?: string;
};

/** What the threads of one agent used. */
export type AgentUsage = {
  /** The agent. */
  agent: string;
  /** What they used. */
  used: UsageSum;
};

/** An answer was taken. */
export type AnswerResult = {
  /** The cloud cannot be reached: the answer is kept until it is back. */
  kept?: boolean;
};

/** Who changed files. */
export type Author = "agent"
  | "person";

/** A branch of a repository elsewhere, as `aloft repo branches --json` prints it. */
export type Branch = {
  /** A thread begins at it when none is named. */
  default?: boolean;
  /** Without `refs/heads/`. */
  name: string;
};

/** `branch/list`. */
export type BranchListParams = {
  /** Absent = 100. */
  pageSize?: number;
  /** From the answer before. */
  pageToken?: string;
  /** Words in the name. */
  query?: string;
  /** As for `thread/create`: a git URL, or `OWNER/NAME`. */
  repository: string;
};

/** A page of branches. */
export type BranchListResult = {
  /** The default one first, then by name. */
  branches: Branch[];
  /** Absent on the last page. */
  nextPageToken?: string;
};

/** A budget with what was used of it, as `aloft budget --json` prints it. */
export type Budget = {
  /** By all threads together today. */
  allUsedToday: Spent;
  /** Today, as `2026-01-31`; days are those of UTC. */
  day: string;
  /** Of a thread: the default, which counts too. */
  default?: DefaultBudget;
  /** Of the thread on each day, or of all threads together. */
  perDay: Limits;
  /** The thread; absent = the default. */
  threadId?: string;
  /** Of the thread over its whole life, or of each thread that has no such limit of its own. */
  total: Limits;
  /** By the thread over its whole life. */
  used?: Spent;
  /** By the thread today, or by all threads together. */
  usedToday: Spent;
};

/** `budget/read`. */
export type BudgetReadParams = {
  /** The thread; absent = the default. */
  threadId?: string;
};

/** `budget/set`. What is neither set nor cleared stays. */
export type BudgetSetParams = {
  /** Limits that fall away. */
  clear?: LimitKind[];
  /** Money, in the currency of the cloud's prices. */
  cost?: number;
  /** Time in which turns work. */
  minutes?: number;
  /** The limits of a day. */
  perDay?: boolean;
  /** Client-made. */
  requestId?: string;
  /** The thread; absent = the default. */
  threadId?: string;
  /** Tokens sent and received. */
  tokens?: number;
  /** Turns begun. */
  turns?: number;
};

/** One finding of `aloft doctor`. */
export type Check = {
  /** What was looked at. */
  check: string;
  /** What was found. */
  detail: string;
  /** How to mend it. */
  hint?: string;
  /** As it should be. */
  ok: boolean;
};

/** How the cloud is, as `aloft cloud status --json` prints it. */
export type CloudStatus = {
  /** Where it listens. */
  address: string;
  /** Where it keeps everything. */
  dataDir: string;
  /** Its process. */
  pid: number;
  /** Turns that run now. */
  runningTurns: number;
  /** Threads it has. */
  threads: number;
  /** Of the program. */
  version: string;
};

/** `connection/didChange`: whether the cloud is heard. */
export type ConnectionChanged = {
  /** More, for people. */
  message?: string;
  /** How the connection stands. */
  state: ConnectionState;
};

/** How the connection to the cloud stands. */
export type ConnectionState = "connected"
  | "connecting"
  | "offline"
  | "unauthenticated";

/** An amount of money. */
export type Cost = {
  /** In units of the currency. */
  amount: number;
  /** ISO 4217. */
  currency: string;
};

/** Where a log is after a request. */
export type CursorResult = {
  /** The newest event. */
  cursor: number;
  /** The cloud cannot be reached: the request is kept until it is back. */
  kept?: boolean;
};

/** What was used on one day. */
export type DayUsage = {
  /** As `2026-01-31`. */
  day: string;
  /** What was used. */
  used: UsageSum;
};

/** The budget of threads that have none of their own. */
export type DefaultBudget = {
  /** Of all threads together on each day. */
  perDay: Limits;
  /** Of each thread that has no such limit of its own. */
  total: Limits;
};

/** How far a message has come. */
export type Delivery = "queued"
  | "delivered"
  | "used";

/** Size of a change. */
export type DiffStat = {
  /** Lines added. */
  additions: number;
  /** Lines deleted. */
  deletions: number;
  /** Files changed. */
  files: number;
};

/** What is done with uncommitted changes of a local checkout. */
export type Dirty = "carry"
  | "ignore"
  | "refuse";

/** A result that says no more than that it worked. */
export type Empty = Record<string, never>;

/** An error for programs. */
export type ErrorBody = {
  /** What to do next. */
  hint?: string;
  /** What happened, to what. */
  message: string;
  /** `UPPER_SNAKE`, listed in docs/errors.md. */
  reason: string;
  /** The same request may work later. */
  retryable: boolean;
};

/** `data` of a JSON-RPC error. */
export type ErrorData = {
  /** What to do next. */
  hint?: string;
  /** `UPPER_SNAKE`, listed in docs/errors.md. */
  reason: string;
  /** The same request may work later. */
  retryable: boolean;
  [name: string]: unknown;
};

/** What the CLI prints on stdout with `--json` when it fails. */
export type ErrorReport = {
  /** What went wrong. */
  error: ErrorBody;
};

/** One durable change in a thread's log. */
export type Event = {
  /** Its number in the thread: 1 for the first. */
  cursor: number;
  /** Events before it that were left out because a later one holds them. */
  folded?: number;
  /** Its thread. */
  threadId: string;
  /** When it was written. */
  time: Time;
  /** Its turn; absent outside one. */
  turnId?: string;
} & (
  {
    /** As it is now. */
    thread: Thread;
    type: "threadChanged";
  }
  | {
    /** As it is now. */
    turn: Turn;
    type: "turnStarted";
  }
  | {
    /** As it is now. */
    turn: Turn;
    type: "turnCompleted";
  }
  | {
    /** As it is now. */
    item: Item;
    type: "itemStarted";
  }
  | {
    /** What was added, UTF-8 with replacement. */
    delta: string;
    /** Which text grew. */
    field: Field;
    /** The item. */
    itemId: string;
    /** Bytes that were there before it. */
    offset?: number;
    type: "itemAppended";
  }
  | {
    /** As it is now. */
    item: Item;
    type: "itemCompleted";
  }
  | {
    /** The new size. */
    diff: DiffStat;
    type: "diffChanged";
  }
);

/** Which text of an item grows. */
export type Field = "text"
  | "output";

/** The change of one file. Texts are UTF-8 with replacement. */
export type FileDiff = {
  /** Lines added. */
  additions: number;
  /** Not shown as text. */
  binary: boolean;
  /** Lines deleted. */
  deletions: number;
  /** Octal; absent = is not there. */
  newMode?: string;
  /** Whole content after, where asked for. */
  newText?: string;
  /** Octal, as git shows it; absent = was not there. */
  oldMode?: string;
  /** Before a rename. */
  oldPath?: string;
  /** Whole content before, where asked for. */
  oldText?: string;
  /** What `git diff` prints for it. */
  patch?: string;
  /** Relative to the workspace. */
  path: string;
  /** What happened to it. */
  status: FileStatus;
};

/** What happened to a file. */
export type FileStatus = "added"
  | "modified"
  | "deleted"
  | "renamed"
  | "typeChanged";

/** An account at a forge without its token, as `aloft forge list --json` prints it. */
export type ForgeAccount = {
  /** With the port, where it is not the usual one. */
  host: string;
  /** `github`. */
  kind: string;
  /** Who it is there. */
  login: string;
  /** Of the person, where known. */
  name?: string;
  /** What the token may do; none = the forge does not say. */
  scopes: string[];
  /** Its address in a browser. */
  url: string;
};

/** `forge/awaitSignIn`: it ends when the person has confirmed the code, or it is over. */
export type ForgeAwaitSignInParams = {
  /** From `forge/signIn`. */
  signInId: string;
};

/** `forge/connect`. */
export type ForgeConnectParams = {
  /** `github`. */
  kind: string;
  /** Client-made. */
  requestId?: string;
  /** Kept encrypted, never printed. */
  token: string;
  /** Its address in a browser; absent = the kind's own. */
  url?: string;
};

/** `forge/disconnect`. */
export type ForgeDisconnectParams = {
  /** Its host; its kind where only one account is of that. */
  forge: string;
  /** Client-made. */
  requestId?: string;
};

/** A repository an account reaches, as `aloft repo list --json` prints it. */
export type ForgeRepository = {
  /** Nobody may push. */
  archived: boolean;
  /** The branch a thread begins at. */
  defaultBranch: string;
  /** It is a copy of another one. */
  fork: boolean;
  /** The account's host. */
  host: string;
  /** `OWNER/NAME`. */
  name: string;
  /** Not everybody sees it. */
  private: boolean;
  /** When somebody pushed last. */
  pushTime?: Time;
  /** For `thread/create`. */
  url: string;
};

/** What a person does to sign in at a forge. */
export type ForgeSignIn = {
  /** When it is too late. */
  expireTime?: Time;
  /** The forge. */
  host: string;
  /** For `forge/awaitSignIn`. */
  signInId: string;
  /** To be typed in. */
  userCode: string;
  /** Where, in a browser. */
  verificationUrl: string;
};

/** `forge/signIn`. */
export type ForgeSignInParams = {
  /** `github`. */
  kind: string;
  /** Client-made. */
  requestId?: string;
  /** Its address in a browser; absent = the kind's own. */
  url?: string;
};

/** One part of a message. */
export type Input = {
    /** Markdown. */
    text: string;
    type: "text";
  }
  | {
    /** The picture, in base64. */
    data: string;
    /** For example `image/png`. */
    mimeType: string;
    type: "image";
  }
  | {
    /** The commit it was seen at. */
    commit?: string;
    /** Relative to the workspace. */
    path: string;
    /** The part meant; absent = all. */
    range?: Range;
    type: "file";
  }
  | {
    /** The commit it was seen at. */
    commit?: string;
    /** Relative to the workspace. */
    path: string;
    /** Where it stands. */
    range: Range;
    /** The text selected. */
    text: string;
    type: "selection";
  };

/** An issue at a forge or a tracker. */
export type Issue = {
  /** What people call it there: `12`, `ENG-12`. */
  key: string;
  /** Its page. */
  url: string;
};

/** One visible thing in a thread. */
export type Item = {
  /** When it ended. */
  endTime?: Time;
  /** Unique in its thread. */
  id: string;
  /** When it began. */
  startTime: Time;
  /** How it stands. */
  state: ItemState;
  /** Its turn; absent outside one. */
  turnId?: string;
} & (
  {
    /** Who wrote it. */
    author?: string;
    /** How far it has come. */
    delivery: Delivery;
    /** Its parts. */
    input: Input[];
    type: "userMessage";
  }
  | {
    /** Markdown. */
    text: string;
    type: "agentMessage";
  }
  | {
    /** Markdown. */
    text: string;
    type: "reasoning";
  }
  | {
    /** In order. */
    steps: PlanStep[];
    type: "plan";
  }
  | {
    /** As a person would type it. */
    command: string;
    /** Where it ran. */
    cwd: string;
    /** Absent while it runs and after a signal. */
    exitCode?: number;
    /** The last 64 KiB, UTF-8 with replacement; all of it by `item/output`. */
    output: string;
    /** Size of the whole output in bytes. */
    outputBytes: number;
    /** Name of the signal that ended it. */
    signal?: string;
    /** `output` is not all of it. */
    truncated: boolean;
    type: "commandExecution";
  }
  | {
    /** Who made them. */
    author: Author;
    /** As the agent reported them; the exact ones come from `thread/diff`. */
    changes: FileDiff[];
    type: "fileChange";
  }
  | {
    /** What it was called with. */
    arguments?: unknown;
    /** `read`, `search`, `fetch`, `think`, `delete`, `move`, `switch_mode` or `other`. */
    kind: string;
    /** What it answered: JSON, or a string. */
    result?: unknown;
    /** The MCP server it went to. */
    server?: string;
    /** For people. */
    title: string;
    /** The tool's name. */
    tool?: string;
    type: "toolCall";
  }
  | {
    /** The option chosen; `cancelled` when the question fell away. */
    answer?: string;
    /** Who chose it. */
    answeredBy?: string;
    /** The command, or the diff. */
    detail?: string;
    /** The item it asks about, where there is one. */
    itemId?: string;
    /** The answers on offer. */
    options: PermissionOption[];
    /** What the agent wants to do. */
    title: string;
    type: "permission";
  }
  | {
    /** Why what was asked for was not done. */
    error?: Problem;
    /** How much it matters. */
    level: Level;
    /** For people. */
    text: string;
    type: "notice";
  }
);

/** `item/output`: a page of a command's whole output. */
export type ItemOutputParams = {
  /** A command. */
  itemId: string;
  /** Bytes wanted, at most 1 MiB; absent = 64 KiB. */
  limit?: number;
  /** First byte. */
  offset?: number;
  /** The thread. */
  threadId: string;
};

/** A page of output. */
export type ItemOutputResult = {
  /** Exactly what the command printed, in base64. */
  data: string;
  /** Where the next page begins. */
  nextOffset: number;
  /** Size so far. */
  totalBytes: number;
};

/** An item of a thread. */
export type ItemParams = {
  /** The item. */
  itemId: string;
  /** The thread. */
  threadId: string;
};

/** `item/read`. */
export type ItemResult = {
  /** Whole. */
  item: Item;
};

/** How an item stands. */
export type ItemState = "inProgress"
  | "completed"
  | "failed"
  | "declined";

/** A request that is kept until the cloud can be reached, or that it refused when it came. */
export type Kept = {
  /** Why the cloud refused it; absent while it waits. */
  error?: ErrorBody;
  /** What was asked for, for example `turn/start`. */
  method: string;
  /** Client-made: the cloud applies it once. */
  requestId: string;
  /** Its readable name. */
  slug: string;
  /** The words of a message, the option of an answer. */
  text?: string;
  /** The thread. */
  threadId: string;
  /** When it was asked for. */
  time: Time;
};

/** `outbox/didDeliver` and `outbox/didRefuse`: a request that was kept has reached the cloud. */
export type KeptTold = {
  /** The request; where the cloud refused it, with its error. */
  kept: Kept;
};

/** A model key without its value. */
export type Key = {
  /** Where it is sent; absent = the provider's own address. */
  baseUrl?: string;
  /** `anthropic` or `openai`. */
  provider: string;
  /** `stored` or `environment`. */
  source: string;
  /** Its last four characters. */
  suffix: string;
};

/** `key/delete` and `key/test`. */
export type KeyParams = {
  /** `anthropic` or `openai`. */
  provider: string;
  /** Client-made; not needed for `key/test`. */
  requestId?: string;
};

/** `key/set`. */
export type KeySetParams = {
  /** Another address of the API; absent = the provider's own. */
  baseUrl?: string;
  /** `anthropic` or `openai`. */
  provider: string;
  /** Client-made. */
  requestId?: string;
  /** The key; kept encrypted, never printed. */
  value: string;
};

/** `key/test`. */
export type KeyTestResult = {
  /** What the provider said. */
  detail: string;
  /** It works. */
  ok: boolean;
};

/** One entry of the ledger. */
export type LedgerEntry = {
  /** Its agent. */
  agent: string;
  /** What it is for. */
  kind: LedgerKind;
  /** `turn/N`, `pullRequestWords/N`, `pullRequest/N` or `resume/N`: the Nth of its thread, there once. */
  subject: string;
  /** The thread; it may be gone. */
  threadId: string;
  /** When it was first written. */
  time: Time;
  /** Of a turn, also one for the words of a pull request: what it has used. */
  usage?: Usage;
};

/** What an entry of the ledger is for. */
export type LedgerKind = "turn"
  | "pullRequest"
  | "pullRequestWords"
  | "resumeByMessage"
  | "resumeByPerson";

/** How much a notice matters. */
export type Level = "info"
  | "warning"
  | "error";

/** What a limit is of. */
export type LimitKind = "tokens"
  | "cost"
  | "minutes"
  | "turns";

/** How much is allowed; an absent limit is none. */
export type Limits = {
  /** Money. */
  cost?: Cost;
  /** Time in which turns work. */
  minutes?: number;
  /** Tokens sent and received. */
  tokens?: number;
  /** Turns begun. */
  turns?: number;
};

/** Whether an agent asks before it acts. */
export type Mode = "auto"
  | "manual";

/** What one model was used for. */
export type ModelUsage = {
  /** As its API names it. */
  model: string;
  /** What was used. */
  used: UsageSum;
};

/** A word to a user, once. */
export type Notice = {
  /** More. */
  body: string;
  /** When it was posted. */
  createTime: Time;
  /** Unique in the cloud. */
  id: string;
  /** Why it was posted. */
  kind: NoticeKind;
  /** Read somewhere. */
  read: boolean;
  /** The thread it is about. */
  threadId: string;
  /** One line. */
  title: string;
};

/** Why a notice was posted. */
export type NoticeKind = "completed"
  | "needsAttention"
  | "failed"
  | "pullRequest"
  | "expiring"
  | "budget";

/** `notice/list`. */
export type NoticeListParams = {
  /** Absent = 100. */
  pageSize?: number;
  /** Only those not read. */
  unread?: boolean;
};

/** Notices. */
export type NoticeListResult = {
  /** Subscribe after this to miss nothing. */
  feed: number;
  /** Newest first. */
  notices: Notice[];
};

/** `notice/didPost`: a notice was posted. */
export type NoticePosted = {
  /** Number in the feed. */
  feed: number;
  /** The notice. */
  notice: Notice;
};

/** `notice/didRead`: a notice was read somewhere. */
export type NoticeRead = {
  /** Number in the feed. */
  feed: number;
  /** The notice. */
  noticeId: string;
};

/** `notice/read`. */
export type NoticeReadParams = {
  /** None = all. */
  noticeIds?: string[];
  /** Client-made. */
  requestId?: string;
};

/** What an answer to a permission means. */
export type OptionKind = "allowOnce"
  | "allowAlways"
  | "rejectOnce"
  | "rejectAlways";

/** `outbox/remove`: takes one back. */
export type OutboxRemoveParams = {
  /** Its request's id. */
  requestId: string;
};

/** What is kept. */
export type OutboxResult = {
  /** What the cloud refused when it came, until a person was told. */
  refused: Kept[];
  /** In the order in which it will be delivered. */
  waiting: Kept[];
};

/** `permission/answer`. */
export type PermissionAnswerParams = {
  /** The question; absent = the only open one. */
  itemId?: string;
  /** An option's id, or `allow`, `allow-always`, `deny`. */
  optionId: string;
  /** Client-made. */
  requestId?: string;
  /** The thread. */
  threadId: string;
};

/** One answer on offer. */
export type PermissionOption = {
  /** The agent's own name of it. */
  id: string;
  /** What it means. */
  kind: OptionKind;
  /** For people. */
  label: string;
};

/** One step of a plan. */
export type PlanStep = {
  /** How it stands. */
  state: PlanStepState;
  /** What is to be done. */
  text: string;
};

/** State of a step of a plan. */
export type PlanStepState = "pending"
  | "inProgress"
  | "completed";

/** A port that listens in a sandbox. */
export type Port = {
  /** It listens on 127.0.0.1 or `::1` only. */
  loopbackOnly?: boolean;
  /** Its number. */
  port: number;
  /** The command that holds it, where known. */
  process?: string;
};

/** `port/forward`. */
export type PortForwardParams = {
  /** The port on this machine; 0 = any that is free, absent = the same where it is free. */
  local?: number;
  /** The port in the sandbox. */
  port: number;
  /** The thread. */
  threadId: string;
};

/** A port that was brought here, until `port/unforward` or the end of the session. */
export type PortForwardResult = {
  /** HOST:PORT on this machine. */
  address: string;
  /** The port on this machine. */
  local: number;
  /** The port in the sandbox. */
  port: number;
  /** The thread's id. */
  threadId: string;
};

/** `port/list`. */
export type PortListResult = {
  /** By number. */
  ports: Port[];
};

/** `port/unforward`. */
export type PortUnforwardParams = {
  /** The port in the sandbox. */
  port: number;
  /** The thread. */
  threadId: string;
};

/** A position as in LSP. */
export type Position = {
  /** In UTF-16 code units. */
  character: number;
  /** Zero-based. */
  line: number;
};

/** Something that went wrong, for people and programs. */
export type Problem = {
  /** What to do next. */
  hint?: string;
  /** What happened, to what. */
  message: string;
  /** `UPPER_SNAKE`, listed in docs/errors.md. */
  reason: string;
  /** The same request may work later. */
  retryable?: boolean;
};

/** A pull request of a thread. */
export type PullRequest = {
  /** Sum of its checks: `pending`, `passing` or `failing`. */
  checks?: string;
  /** How often somebody said something to it; absent = never. */
  comments?: number;
  /** Its number there. */
  number: number;
  /** How it stands. */
  state: PullRequestState;
  /** Its page at the forge. */
  url: string;
};

/** State of a pull request at its forge. */
export type PullRequestState = "draft"
  | "open"
  | "merged"
  | "closed";

/** `queue/move`. */
export type QueueMoveParams = {
  /** The message. */
  itemId: string;
  /** Its new place, 0 = next. */
  position: number;
  /** Client-made. */
  requestId?: string;
  /** The thread. */
  threadId: string;
};

/** `queue/remove`. */
export type QueueRemoveParams = {
  /** The message. */
  itemId: string;
  /** Client-made. */
  requestId?: string;
  /** The thread. */
  threadId: string;
};

/** Messages waiting for the end of the turn. */
export type QueueResult = {
  /** In the order they will be sent. */
  items: Item[];
};

/** A range as in LSP: zero-based lines, UTF-16 characters, the end excluded. */
export type Range = {
  /** The position after its last. */
  end: Position;
  /** Its first position. */
  start: Position;
};

/** A source of code. */
export type Repository = {
  /** Short, for people. */
  name: string;
  /** The checkout it was uploaded from. */
  path?: string;
  /** Where it is fetched from. */
  url?: string;
};

/** `repository/list`. */
export type RepositoryListParams = {
  /** Only of this account, by its host. */
  forge?: string;
  /** Absent = 100. */
  pageSize?: number;
  /** From the answer before. */
  pageToken?: string;
  /** Words in owner and name. */
  query?: string;
};

/** A page of repositories. */
export type RepositoryListResult = {
  /** Absent on the last page. */
  nextPageToken?: string;
  /** Accounts whose repositories are missing. */
  problems?: AccountProblem[];
  /** Those pushed to last first. */
  repositories: ForgeRepository[];
};

/** What was used of a budget. */
export type Spent = {
  /** Money; absent where nothing has a price. */
  cost?: Cost;
  /** Time in which turns worked. */
  minutes: number;
  /** Tokens sent and received. */
  tokens: number;
  /** Turns begun. */
  turns: number;
};

/** `ssh/connect`. */
export type SshConnectParams = {
  /** Put our line into the person's `~/.ssh/config`, who has been asked. */
  setUp?: boolean;
  /** The thread. */
  threadId: string;
};

/** Where ssh goes. */
export type SshConnectResult = {
  /** Our config, which works alone. */
  configFile: string;
  /** The host's name. */
  host: string;
  /** What the person's config gets. */
  lines: string;
  /** The person's `~/.ssh/config` has our line. Where it has not, ask the person and send the request again with `setUp`, or start ssh with `-F configFile`. */
  setUp: boolean;
  /** What an editor opens. */
  uri: string;
  /** The login name. */
  user: string;
  /** Where the checkout is. */
  workspacePath: string;
};

/** `thread/subscribe`: a thread's events, or without `threadId` the list and the notices. */
export type SubscribeParams = {
  /** Cursor or feed number known already; 0 = nothing. */
  after?: number;
  /** The thread; absent = the feed. */
  threadId?: string;
};

/** One conversation with one agent, with its sandbox, branch, state and log. */
export type Thread = {
  /** Name of the agent. */
  agent: string;
  /** The commit every diff is against; absent until it is known. */
  baseCommit?: string;
  /** The ref the thread began at, as it was asked for. */
  baseRef: string;
  /** The thread's own branch. */
  branch: string;
  /** When it was created. */
  createTime: Time;
  /** Size of the change against the base commit. */
  diff: DiffStat;
  /** Name of the environment. */
  environment: string;
  /** Why it failed. */
  error?: Problem;
  /** When it is cleaned up; absent = never. */
  expireTime?: Time;
  /** Unique in the cloud. */
  id: string;
  /** The issue it began with. */
  issue?: Issue;
  /** Never cleaned up by age. */
  keep: boolean;
  /** The newest turn. */
  lastTurn?: TurnSummary;
  /** Whether the agent asks first. */
  mode: Mode;
  /** Model the agent uses; absent = the agent's own choice. */
  model?: string;
  /** No notices of this thread. */
  muted: boolean;
  /** The user it belongs to; `local` in an embedded cloud. */
  owner: string;
  /** The pull request, once there is one. */
  pullRequest?: PullRequest;
  /** Place among threads waiting to start. */
  queuePosition?: number;
  /** Messages waiting for the end of the turn. */
  queued: number;
  /** Where the code comes from. */
  repository: Repository;
  /** Readable and unique. */
  slug: string;
  /** What it is doing. */
  state: ThreadState;
  /** Of `starting`: the step in work, for people. */
  step?: string;
  /** One line. */
  title: string;
  /** Limits this host cannot enforce on its sandbox. */
  unenforced?: string[];
  /** When it last changed. */
  updateTime: Time;
  /** What it has used so far. */
  usage: Usage;
  /** The checkout inside the sandbox. */
  workspacePath: string;
};

/** Something done to a thread. */
export type ThreadActionParams = {
  /** Client-made. */
  requestId?: string;
  /** The thread. */
  threadId: string;
};

/** `thread/apply`: where the changes went. */
export type ThreadApplyResult = {
  /** Those that now hold conflict markers. */
  conflicts: string[];
  /** Files that changed, relative to the root of the checkout. */
  files: string[];
  /** As it is now. */
  thread: Thread;
};

/** `thread/archive`: everything of a thread to one file. */
export type ThreadArchiveParams = {
  /** The file to write; it must not exist. */
  path: string;
  /** The thread; no turn of it may run. */
  threadId: string;
};

/** `thread/didChange` of the list: any thread is new or changed. */
export type ThreadChanged = {
  /** Number in the feed. */
  feed: number;
  /** As it is now. */
  thread: Thread;
};

/** `thread/checkout`: which branch holds the commits. */
export type ThreadCheckoutResult = {
  /** The local branch. */
  branch: string;
  /** Its commit. */
  commit: string;
  /** As it is now. */
  thread: Thread;
};

/** `thread/commentOnIssue`. */
export type ThreadCommentOnIssueParams = {
  /** Client-made. */
  requestId?: string;
  /** The thread. */
  threadId: string;
};

/** The comment; each turn has one. */
export type ThreadCommentOnIssueResult = {
  /** It was not there before. */
  posted: boolean;
  /** Its page. */
  url: string;
};

/** `thread/create`. */
export type ThreadCreateParams = {
  /** Name of the agent; absent = the first usable. */
  agent?: string;
  /** The thread's own branch; absent = `aloft/<slug>`. */
  branch?: string;
  /** What is done with uncommitted changes of `path`; absent = `ignore`. */
  dirty?: Dirty;
  /** Name of the environment. */
  environment?: string;
  /** The first message; none = the thread waits. */
  input?: Input[];
  /** URL or number of the issue it is about, or its key at a tracker. */
  issue?: string;
  /** Absent = `manual`. */
  mode?: Mode;
  /** Model; absent = the agent's own choice. */
  model?: string;
  /** Folder in a local checkout. Either this or `repository`. */
  path?: string;
  /** Branch, tag or commit to begin at; absent = what is checked out, or the default branch. */
  ref?: string;
  /** Git URL or `OWNER/NAME`. Either this or `path`. */
  repository?: string;
  /** Client-made. */
  requestId?: string;
  /** One line; absent = from the message. */
  title?: string;
};

/** `thread/createPullRequest`. */
export type ThreadCreatePullRequestParams = {
  /** The branch it is to be merged into; absent = where the thread began, or as it is. */
  base?: string;
  /** Markdown; absent = what the agent writes, or as it is. */
  body?: string;
  /** Not for review yet; only of a new one. */
  draft?: boolean;
  /** Labels of the repository that it gets, beside those it has; the thread says which could not be set. */
  labels?: string[];
  /** Client-made. */
  requestId?: string;
  /** Logins of those who are asked to review it, beside those who were; the thread says who could not be asked. */
  reviewers?: string[];
  /** First bring in what the branch has got that it goes to. */
  sync?: boolean;
  /** The thread. */
  threadId: string;
  /** One line; absent = what the agent writes, or as it is. */
  title?: string;
};

/** The pull request, or the push where the remote has no pull requests. */
export type ThreadCreatePullRequestResult = {
  /** The newest event. */
  cursor: number;
  /** What was done, for people: its address, or what was pushed where and where to open one. */
  text: string;
  /** With `sync`, where the agent has to solve conflicts: its turn. Nothing was pushed; ask again when it has ended. */
  turnId?: string;
};

/** A thread, and how far its log is. */
export type ThreadCreateResult = {
  /** Its newest event. */
  cursor: number;
  /** Repositories inside the carried one that hold changes of their own: what they have not committed stays behind. */
  leftBehind?: string[];
  /** As it is now. */
  thread: Thread;
};

/** `thread/didDelete`: a thread is gone. */
export type ThreadDeleted = {
  /** Number in the feed. */
  feed: number;
  /** The thread. */
  threadId: string;
};

/** `thread/diff`. */
export type ThreadDiffParams = {
  /** Absent = `base`. */
  against?: Against;
  /** The thread. */
  threadId: string;
};

/** The files of a diff. */
export type ThreadDiffResult = {
  /** In the order of their paths, without texts. */
  files: FileDiff[];
};

/** `thread/fileDiff`: one file with its texts. */
export type ThreadFileDiffParams = {
  /** Absent = `base`. */
  against?: Against;
  /** The file, relative to the workspace. */
  path: string;
  /** The thread. */
  threadId: string;
};

/** `thread/fixPullRequest`. */
export type ThreadFixPullRequestParams = {
  /** Client-made. */
  requestId?: string;
  /** The thread. */
  threadId: string;
};

/** `thread/fork`: a new thread that goes on from the end of a turn. */
export type ThreadForkParams = {
  /** Client-made. */
  requestId?: string;
  /** The thread to go on from. */
  threadId: string;
  /** From the end of this turn, 0 = before the first; absent = from its newest snapshot. */
  turn?: number;
};

/** `thread/list`. */
export type ThreadListParams = {
  /** At most 1000; absent = 100. */
  pageSize?: number;
  /** From the answer before. */
  pageToken?: string;
  /** Words in title, slug, branch or repository. */
  query?: string;
  /** Only threads in this state. */
  state?: ThreadState;
};

/** A page of threads. */
export type ThreadListResult = {
  /** Subscribe after this to miss nothing. */
  feed: number;
  /** The cloud cannot be reached: this is what was last seen, then. */
  lastSeen?: Time;
  /** Absent on the last page. */
  nextPageToken?: string;
  /** Newest first. */
  threads: Thread[];
};

/** `thread/apply` and `thread/checkout`: the thread's work into a local checkout. */
export type ThreadLocalParams = {
  /** Name of the local branch; absent = the thread's own (`thread/checkout`). */
  branch?: string;
  /** Write conflict markers instead of changing nothing (`thread/apply`). */
  conflicts?: boolean;
  /** Only these of its files (`thread/apply`); none = all. */
  files?: string[];
  /** Only this part of the change of these files, in the form of `thread/diff` (`thread/apply`). */
  patch?: string;
  /** Folder in the local checkout; absent = the one the thread began in. */
  path?: string;
  /** Client-made. */
  requestId?: string;
  /** The thread. */
  threadId: string;
};

/** A thread, by one of its names. */
export type ThreadParams = {
  /** The thread. */
  threadId: string;
};

/** `thread/read`. */
export type ThreadReadParams = {
  /** Items before this one; absent = the newest. */
  before?: string;
  /** At most 1000; absent = 200. */
  limit?: number;
  /** The thread. */
  threadId: string;
};

/** A thread with a page of its items. */
export type ThreadReadResult = {
  /** Subscribe after this to miss nothing. */
  cursor: number;
  /** There are items before these. */
  hasMore: boolean;
  /** Oldest first. */
  items: Item[];
  /** The cloud cannot be reached: this is what was last seen, then. */
  lastSeen?: Time;
  /** As it is now. */
  thread: Thread;
  /** The turns of these items, oldest first. */
  turns: Turn[];
};

/** `thread/restore`: a paused thread from such a file. */
export type ThreadRestoreParams = {
  /** The file. */
  path: string;
  /** Client-made. */
  requestId?: string;
};

/** A thread after a request. */
export type ThreadResult = {
  /** The cloud cannot be reached: the request is kept until it is back, and the thread is as it will be. */
  kept?: boolean;
  /** As it is now. */
  thread: Thread;
};

/** `thread/rewind`: the workspace back to a snapshot; what it was is kept in a safety snapshot. */
export type ThreadRewindParams = {
  /** Also when files were changed by hand: these are in the safety snapshot then. */
  force?: boolean;
  /** Client-made. */
  requestId?: string;
  /** To what a rewind put aside, which undoes it. */
  safety?: number;
  /** The thread. */
  threadId: string;
  /** To the end of this turn; 0 = before the first. One of `turn` and `safety` is needed. */
  turn?: number;
};

/** What a thread is doing. */
export type ThreadState = "starting"
  | "running"
  | "requiresAction"
  | "idle"
  | "paused"
  | "failed"
  | "deleting";

/** `thread/update`: what is absent stays. */
export type ThreadUpdateParams = {
  /** Never cleaned up by age. */
  keep?: boolean;
  /** In effect at the agent's next question. */
  mode?: Mode;
  /** In effect at the next model call the agent makes anew. */
  model?: string;
  /** No notices. */
  muted?: boolean;
  /** Client-made. */
  requestId?: string;
  /** The thread. */
  threadId: string;
  /** One line. */
  title?: string;
};

/** What one thread used. */
export type ThreadUsage = {
  /** Its slug; absent when it is gone. */
  slug?: string;
  /** The thread. */
  threadId: string;
  /** Its title; absent when it is gone. */
  title?: string;
  /** What it used. */
  used: UsageSum;
};

/** A moment in UTC with milliseconds, as RFC 3339 writes it. */
export type Time = string;

/** From an accepted input to the agent's stop. */
export type Turn = {
  /** Snapshot of the workspace at its end. */
  commit?: string;
  /** When it ended. */
  endTime?: Time;
  /** Why it failed or was cut. */
  error?: Problem;
  /** Unique in its thread. */
  id: string;
  /** 1 for the first. */
  number: number;
  /** When its input was accepted. */
  startTime: Time;
  /** How it stands. */
  state: TurnState;
  /** Who stopped it. */
  stoppedBy?: string;
  /** Its thread. */
  threadId: string;
};

/** `turn/interrupt`: a stop. */
export type TurnInterruptParams = {
  /** Refused with `TURN_CHANGED` when another runs; absent = whichever. */
  expectedTurnId?: string;
  /** Let the agent wrap up in one short turn first. */
  finish?: boolean;
  /** Client-made. */
  requestId?: string;
  /** The thread. */
  threadId: string;
};

/** A turn that began, or a message that waits. */
export type TurnResult = {
  /** The event that says so. */
  cursor: number;
  /** The message. */
  item?: Item;
  /** The cloud cannot be reached: the message is kept until it is back. */
  kept?: boolean;
  /** Absent when the message was queued. */
  turn?: Turn;
};

/** `turn/start`: a message. */
export type TurnStartParams = {
  /** Its parts. */
  input: Input[];
  /** After the running turn. */
  queue?: boolean;
  /** Client-made. */
  requestId?: string;
  /** The thread. */
  threadId: string;
};

/** How a turn stands. */
export type TurnState = "running"
  | "completed"
  | "interrupted"
  | "failed";

/** `turn/steer`: a correction of the running turn. */
export type TurnSteerParams = {
  /** Refused with `TURN_CHANGED` when another runs; absent = whichever. */
  expectedTurnId?: string;
  /** What to do instead. */
  input: Input[];
  /** Client-made. */
  requestId?: string;
  /** The thread. */
  threadId: string;
};

/** The newest turn, in a list. */
export type TurnSummary = {
  /** 1 for the first. */
  number: number;
  /** How it stands. */
  state: TurnState;
};

/** `thread/unsubscribe`. */
export type UnsubscribeParams = {
  /** The thread; absent = the feed. */
  threadId?: string;
};

/** Tokens, money and time. */
export type Usage = {
  /** Money, where a price is known. */
  cost?: Cost;
  /** Tokens sent to models. */
  inputTokens: number;
  /** Tokens received from models. */
  outputTokens: number;
  /** Time in turns. */
  seconds: number;
};

/** `usage/read`. */
export type UsageReadParams = {
  /** The last so many days, today included; absent = 30. */
  days?: number;
  /** Only this thread. */
  threadId?: string;
};

/** What was used, as `aloft usage --json` prints it. */
export type UsageResult = {
  /** By agent, the one that used most tokens first. */
  agents: AgentUsage[];
  /** By day, oldest first. */
  days: DayUsage[];
  /** Turns, pull requests and resumes, oldest first. */
  entries: LedgerEntry[];
  /** Subscribe after this to miss no change: each changes a thread. */
  feed: number;
  /** The first day, as `2026-01-31`; days are those of UTC. */
  from: string;
  /** By model, the one that used most tokens first. */
  models: ModelUsage[];
  /** By thread, the one that used most tokens first. */
  threads: ThreadUsage[];
  /** Today. */
  to: string;
  /** All of it. */
  total: UsageSum;
};

/** A sum of what was used. */
export type UsageSum = {
  /** Those of them that were read from a cache. */
  cachedTokens: number;
  /** Calls of models that were answered. */
  calls: number;
  /** Money; absent where nothing had a price. Of several currencies the newest. */
  cost?: Cost;
  /** Tokens sent, cached ones included. */
  inputTokens: number;
  /** Tokens received. */
  outputTokens: number;
  /** Pull requests. */
  pullRequests: number;
  /** Resumes of paused threads. */
  resumes: number;
  /** Time in which turns worked. */
  seconds: number;
  /** Turns. */
  turns: number;
  /** Tokens of models without a price: `cost` does not count them. */
  unpricedTokens: number;
};

/** Requests by name. */
export interface Requests {
  "agent/list": { params: Empty; result: Agent[] };
  "branch/list": { params: BranchListParams; result: BranchListResult };
  "budget/read": { params: BudgetReadParams; result: Budget };
  "budget/set": { params: BudgetSetParams; result: Budget };
  "cloud/status": { params: Empty; result: CloudStatus };
  "forge/awaitSignIn": { params: ForgeAwaitSignInParams; result: ForgeAccount };
  "forge/connect": { params: ForgeConnectParams; result: ForgeAccount };
  "forge/disconnect": { params: ForgeDisconnectParams; result: Empty };
  "forge/list": { params: Empty; result: ForgeAccount[] };
  "forge/signIn": { params: ForgeSignInParams; result: ForgeSignIn };
  "item/output": { params: ItemOutputParams; result: ItemOutputResult };
  "item/read": { params: ItemParams; result: ItemResult };
  "key/delete": { params: KeyParams; result: Empty };
  "key/list": { params: Empty; result: Key[] };
  "key/set": { params: KeySetParams; result: Key };
  "key/test": { params: KeyParams; result: KeyTestResult };
  "notice/list": { params: NoticeListParams; result: NoticeListResult };
  "notice/read": { params: NoticeReadParams; result: Empty };
  "outbox/list": { params: Empty; result: OutboxResult };
  "outbox/remove": { params: OutboxRemoveParams; result: OutboxResult };
  "permission/answer": { params: PermissionAnswerParams; result: AnswerResult };
  "port/forward": { params: PortForwardParams; result: PortForwardResult };
  "port/list": { params: ThreadParams; result: PortListResult };
  "port/unforward": { params: PortUnforwardParams; result: Empty };
  "queue/list": { params: ThreadParams; result: QueueResult };
  "queue/move": { params: QueueMoveParams; result: QueueResult };
  "queue/remove": { params: QueueRemoveParams; result: QueueResult };
  "repository/list": { params: RepositoryListParams; result: RepositoryListResult };
  "ssh/connect": { params: SshConnectParams; result: SshConnectResult };
  "thread/apply": { params: ThreadLocalParams; result: ThreadApplyResult };
  "thread/archive": { params: ThreadArchiveParams; result: ThreadResult };
  "thread/checkout": { params: ThreadLocalParams; result: ThreadCheckoutResult };
  "thread/commentOnIssue": { params: ThreadCommentOnIssueParams; result: ThreadCommentOnIssueResult };
  "thread/create": { params: ThreadCreateParams; result: ThreadCreateResult };
  "thread/createPullRequest": { params: ThreadCreatePullRequestParams; result: ThreadCreatePullRequestResult };
  "thread/delete": { params: ThreadActionParams; result: ThreadResult };
  "thread/diff": { params: ThreadDiffParams; result: ThreadDiffResult };
  "thread/fileDiff": { params: ThreadFileDiffParams; result: FileDiff };
  "thread/fixPullRequest": { params: ThreadFixPullRequestParams; result: TurnResult };
  "thread/fork": { params: ThreadForkParams; result: ThreadResult };
  "thread/list": { params: ThreadListParams; result: ThreadListResult };
  "thread/pause": { params: ThreadActionParams; result: ThreadResult };
  "thread/read": { params: ThreadReadParams; result: ThreadReadResult };
  "thread/restore": { params: ThreadRestoreParams; result: ThreadResult };
  "thread/resume": { params: ThreadActionParams; result: ThreadResult };
  "thread/retry": { params: ThreadActionParams; result: TurnResult };
  "thread/rewind": { params: ThreadRewindParams; result: ThreadResult };
  "thread/subscribe": { params: SubscribeParams; result: Empty };
  "thread/unsubscribe": { params: UnsubscribeParams; result: Empty };
  "thread/update": { params: ThreadUpdateParams; result: ThreadResult };
  "turn/interrupt": { params: TurnInterruptParams; result: CursorResult };
  "turn/start": { params: TurnStartParams; result: TurnResult };
  "turn/steer": { params: TurnSteerParams; result: TurnResult };
  "usage/read": { params: UsageReadParams; result: UsageResult };
}

/** Notifications from the bridge by name. */
export interface Notifications {
  "connection/didChange": ConnectionChanged;
  "item/didAppend": Event;
  "item/didComplete": Event;
  "item/didStart": Event;
  "notice/didPost": NoticePosted;
  "notice/didRead": NoticeRead;
  "outbox/didDeliver": KeptTold;
  "outbox/didRefuse": KeptTold;
  "thread/didChange": ThreadChanged;
  "thread/didChangeDiff": Event;
  "thread/didDelete": ThreadDeleted;
  "turn/didComplete": Event;
  "turn/didStart": Event;
}
