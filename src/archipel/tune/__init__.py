"""A model that follows: from conversations, pairs and preferences, on one machine.

Knows nothing about runs and sites. What a lesson is and what is learnt of it (`lessons`,
`encoding`, `batches`, `losses`) stands apart from the loop that trains here.
"""
