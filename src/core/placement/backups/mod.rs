//! Backups, as far as placing a pod has to do with them: who is to be covered, what is reserved on nodes, and
//! which node can be a pod's backup.

mod handover;
mod moving;
mod rule;
mod search;
mod table;

pub use handover::{AtHold, judge_at_hold};
pub use moving::{MOVE_ANNOTATION, MoveRule, Reoptimize};
pub use rule::{
    BACKUP_ANNOTATION, BACKUP_NODE_ANNOTATION, BackupMode, BackupPolicy, BackupRule, FAILOVER_ANNOTATION,
    FailoverRule, HANDOVER_TAINT, IN_PLACE_OF_ANNOTATION, WantsBackup, unreadable,
};
pub use search::{BackupSearch, NoBackup, NoSearch, unplaced};
pub use table::{BACKUP_LABEL, BACKUP_NAMESPACE, Backups, Owed, is_backup};
