//! The victims: small workloads that show a symptom by themselves.
