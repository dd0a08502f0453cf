-- Why a thread was removed: because nobody used it, or because somebody deleted it.
alter table audit add column expired integer not null default 0;
