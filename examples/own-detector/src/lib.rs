//! What another team brings: an operator, a drill for it, and a detector that reads what the operator says of itself.

mod conditions;
mod lost_right;
mod operator;

pub use conditions::Conditions;
pub use lost_right::LostRight;
pub use operator::Operator;
