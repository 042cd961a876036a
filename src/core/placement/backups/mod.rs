//! Backups, as far as placing a pod has to do with them: who is to be covered, what is reserved on nodes, and
//! which node can be a pod's backup.

mod rule;
mod search;
mod table;

pub use rule::{
    BACKUP_ANNOTATION, BACKUP_NODE_ANNOTATION, BackupMode, BackupPolicy, BackupRule, HANDOVER_TAINT,
    WantsBackup,
};
pub use search::{BackupSearch, NoBackup, NoSearch, unplaced};
pub use table::{BACKUP_LABEL, BACKUP_NAMESPACE, Backups, is_backup};
