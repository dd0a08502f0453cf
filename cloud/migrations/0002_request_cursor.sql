-- Where the thread's log was when the request was applied: the answer to the same request says it again.
alter table requests add column cursor integer not null default 0;
