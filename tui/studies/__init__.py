"""Studies on the dashboard: what a document or the folder of a sweep says, as pictures, tables and words."""
