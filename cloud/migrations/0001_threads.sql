-- The first schema. Every row has an owner. `record` holds the protobuf of the record's own message.

-- How many changes each owner's feed has had.
create table owners (
  owner text not null primary key,
  feed integer not null
) strict, without rowid;

-- `number` is the order of creation; `words` is what a search looks into.
create table threads (
  number integer primary key autoincrement,
  id text not null unique,
  owner text not null,
  slug text not null unique,
  state integer not null,
  repository text not null,
  branch text not null,
  words text not null,
  record blob not null,
  private blob not null
) strict;
create index threads_of_owner on threads (owner, number);
create index threads_of_repository on threads (repository, branch);
-- Starting, running, waiting for a person.
create index threads_busy on threads (number) where state in (1, 2, 3);

-- The log. `record` is the event without what the columns say: its thread and its cursor. `item` is set for appends alone.
create table events (
  thread text not null,
  cursor integer not null,
  owner text not null,
  item text,
  record blob not null,
  primary key (thread, cursor)
) strict, without rowid;

-- A turn as the event at `cursor` says it.
create table turns (
  thread text not null,
  id text not null,
  owner text not null,
  number integer not null,
  cursor integer not null,
  primary key (thread, id)
) strict, without rowid;
create index turns_by_number on turns (thread, number);

-- An item as the event at `cursor` says it. `position` is the cursor of its first event, `completed` that of its newest end.
create table items (
  thread text not null,
  id text not null,
  owner text not null,
  position integer not null,
  state integer not null,
  cursor integer not null,
  completed integer,
  primary key (thread, id)
) strict, without rowid;
create index items_by_position on items (thread, position);
create index items_open on items (thread, position) where state = 1;

-- Where the bytes of an item's text or output are: `size` bytes from byte `start` on are in the event at `cursor`.
create table pieces (
  thread text not null,
  item text not null,
  start integer not null,
  owner text not null,
  size integer not null,
  cursor integer not null,
  primary key (thread, item, start)
) strict, without rowid;

-- What was answered to a request, so that it is applied once. `thread` may be empty.
create table requests (
  owner text not null,
  id text not null,
  thread text not null,
  fingerprint blob not null,
  answer blob not null,
  time integer not null,
  primary key (owner, id)
) strict, without rowid;
create index requests_of_thread on requests (thread);
create index requests_by_time on requests (time);

create table notices (
  number integer primary key autoincrement,
  id text not null unique,
  owner text not null,
  thread text not null,
  time integer not null,
  read integer not null,
  record blob not null
) strict;
create index notices_of_owner on notices (owner, number);
create index notices_of_thread on notices (thread);

-- The newest entry about each thread (about = 1) and notice (about = 2); `gone` when it was deleted or read.
create table feed (
  owner text not null,
  about integer not null,
  subject text not null,
  number integer not null,
  gone integer not null,
  time integer not null,
  primary key (owner, about, subject)
) strict, without rowid;
create unique index feed_by_number on feed (owner, number);

create table repositories (
  id text not null primary key,
  owner text not null,
  url text not null,
  identity text not null,
  name text not null,
  path text not null,
  remote_url text not null,
  last_used integer not null
) strict, without rowid;
create index repositories_by_url on repositories (owner, url);
create index repositories_by_identity on repositories (owner, identity);

create table settings (
  owner text not null,
  name text not null,
  value blob not null,
  primary key (owner, name)
) strict, without rowid;

-- What stays of a deleted thread.
create table audit (
  number integer primary key autoincrement,
  time integer not null,
  owner text not null,
  thread text not null,
  slug text not null
) strict;
