//! What `k8s/` says, held against the program: every overlay is rendered as `kubectl apply -k` would, and what must agree
//! with the code does. No API server is asked: there is none here.

mod facts;
mod monitoring;
mod processes;
mod rendered;
mod rollout;
