"""Where changes are reviewed: comments, issues and summaries on GitHub and GitLab, for runs of CI."""
