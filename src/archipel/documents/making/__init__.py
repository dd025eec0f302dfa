"""New office files from Markdown: real styles, tables and charts, in a template if there is one."""
