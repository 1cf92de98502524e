"""Access policies: documents, conditions, and the decision in AWS's order."""
