//! A driver's methods as those of the traits, which give their answers later.

/// Makes a [`Tracker`](crate::forge::Tracker) of a type with the same methods, asynchronous ones.
macro_rules! tracker {
    ($account:ty) => {
        impl Tracker for $account {
            fn whoami(&self) -> Answer<'_, Person> {
                Box::pin(self.whoami())
            }

            fn issue<'a>(&'a self, at: &'a Reference) -> Answer<'a, Issue> {
                Box::pin(self.issue(at))
            }

            fn picture<'a>(&'a self, picture: &'a Picture) -> Answer<'a, Vec<u8>> {
                Box::pin(self.http.picture(picture))
            }

            fn comment<'a>(&'a self, at: &'a Reference, text: &'a str) -> Answer<'a, String> {
                Box::pin(self.comment(at, text))
            }
        }
    };
}

/// Makes a [`Forge`](crate::forge::Forge) of a type with the same methods, asynchronous ones.
macro_rules! driver {
    ($account:ty) => {
        $crate::forge::driver::tracker!($account);

        impl Forge for $account {
            fn repositories(&self, page: u32) -> Answer<'_, Page<Repository>> {
                Box::pin(self.repositories(page))
            }

            fn repository<'a>(&'a self, name: &'a str) -> Answer<'a, Repository> {
                Box::pin(self.repository(name))
            }

            fn has_branch<'a>(&'a self, name: &'a str, branch: &'a str) -> Answer<'a, bool> {
                Box::pin(self.has_branch(name, branch))
            }

            fn pull_request<'a>(&'a self, name: &'a str, number: u64) -> Answer<'a, PullRequest> {
                Box::pin(self.pull_request(name, number))
            }

            fn checks<'a>(&'a self, name: &'a str, commit: &'a str) -> Answer<'a, Option<Checks>> {
                Box::pin(self.checks(name, commit))
            }

            fn findings<'a>(
                &'a self,
                name: &'a str,
                number: u64,
                commit: &'a str,
            ) -> Answer<'a, Findings> {
                Box::pin(self.findings(name, number, commit))
            }

            fn own_fork<'a>(
                &'a self,
                name: &'a str,
                login: &'a str,
            ) -> Answer<'a, Option<Repository>> {
                Box::pin(self.own_fork(name, login))
            }

            fn fork<'a>(&'a self, name: &'a str, login: &'a str) -> Answer<'a, Repository> {
                Box::pin(self.fork(name, login))
            }

            fn find_pull_request<'a>(
                &'a self,
                name: &'a str,
                head: &'a str,
            ) -> Answer<'a, Option<PullRequest>> {
                Box::pin(self.find(name, head))
            }

            fn open_pull_request<'a>(
                &'a self,
                name: &'a str,
                proposal: &'a Proposal,
            ) -> Answer<'a, PullRequest> {
                Box::pin(self.open(name, proposal))
            }

            fn change_pull_request<'a>(
                &'a self,
                name: &'a str,
                number: u64,
                change: &'a Change,
            ) -> Answer<'a, PullRequest> {
                Box::pin(self.change(name, number, change))
            }

            fn label<'a>(&'a self, name: &'a str, number: u64, label: &'a str) -> Answer<'a, ()> {
                Box::pin(self.label(name, number, label))
            }

            fn ask_reviewer<'a>(
                &'a self,
                name: &'a str,
                number: u64,
                login: &'a str,
            ) -> Answer<'a, ()> {
                Box::pin(self.ask_reviewer(name, number, login))
            }
        }
    };
}

pub(super) use {driver, tracker};
