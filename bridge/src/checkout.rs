//! The local repository: what it is, upload of what the cloud lacks, apply, checkout.
