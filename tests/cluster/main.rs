//! Engines on real servers, and through what breaks them: NATS and Redis are started by each test, on free
//! ports, with data of their own.

mod bed;
mod chaos;
mod chosen_weights;
mod debezium;
mod doctor;
mod event_requests;
mod facts;
mod kill;
mod kubernetes;
mod late_servers;
mod mistakes;
mod other_log;
mod ownership;
mod program;
mod python_publisher;
mod recovery;
mod remediation;
mod same_answers;
mod take_rates;
#[cfg(feature = "otlp")]
mod traces;
mod unable_nodes;
