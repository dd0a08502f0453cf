//! Builds all parts of the cloud, listens, and stops them in order.
