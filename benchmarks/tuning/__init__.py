"""What `archipel bench finetune` measures with, and its peer."""
