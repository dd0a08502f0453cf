//! Sandboxes as somebody sees them who is not their cloud: from their folder alone, and only to end them.

use std::path::Path;

use crate::sandbox::Result;
use crate::sandbox::bubblewrap::groups::Groups;
use crate::sandbox::bubblewrap::layout::Layout;
use crate::sandbox::bubblewrap::stop;

/// What a cloud left in its folder of sandboxes.
#[derive(Debug)]
pub struct Left {
    layout: Layout,
    groups: Groups,
}

impl Left {
    /// Looks at a folder and changes nothing; `None` where it is gone.
    pub fn find(root: &Path) -> Result<Option<Self>> {
        let Some(layout) = Layout::find(root) else { return Ok(None) };
        let groups = Groups::find(layout.owner()?);
        Ok(Some(Self { layout, groups }))
    }

    /// Ids of those whose processes live, also where they stand still.
    pub fn running(&self) -> Result<Vec<String>> {
        let lives = |id: &String| {
            let record = self.layout.home(id).ok().and_then(|home| home.record());
            record.is_some_and(|record| record.init.lives())
        };
        Ok(self.layout.ids()?.into_iter().filter(lives).collect())
    }

    /// Ends all processes of one and keeps its directories; returns when they are gone.
    pub async fn end(&self, id: &str) -> Result<()> {
        let home = self.layout.home(id)?;
        if let Some(record) = home.record() {
            stop::end(&self.groups, &record, id).await?;
        }
        stop::forget(&self.groups, &home, id)
    }
}
