"""The main job, shown: a download outlives its kernel. Run by ``make demo`` and ``make lab``."""
