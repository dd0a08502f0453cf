//! How each known agent is found on the host, launched in a sandbox and told where its model is.
