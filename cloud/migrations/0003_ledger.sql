-- What was used, by day (counted from 1970-01-01, UTC), thread, agent and model. It outlives its thread: a budget of a day counts
-- what was used on it. A row with an empty model holds the time in which turns worked.
create table usage (
  owner text not null,
  day integer not null,
  thread text not null,
  agent text not null,
  model text not null,
  currency text not null,
  calls integer not null,
  input_tokens integer not null,
  cached_tokens integer not null,
  output_tokens integer not null,
  cost_micros integer not null,
  millis integer not null,
  primary key (owner, day, thread, agent, model, currency)
) strict, without rowid;

-- One entry for each turn, pull request and resume. A thread has one for a subject, whatever is repeated.
create table ledger (
  number integer primary key autoincrement,
  thread text not null,
  subject text not null,
  owner text not null,
  day integer not null,
  kind integer not null,
  record blob not null,
  unique (thread, subject)
) strict;
create index ledger_by_day on ledger (owner, day);
