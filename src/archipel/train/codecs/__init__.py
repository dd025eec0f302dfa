"""The codecs, one a file. `archipel.train.codec` finds them by name."""
