"""What an evaluation leaves behind: report.json and a page for people."""
