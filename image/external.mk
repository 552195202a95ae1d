# The programs come from outside (scripts/cross-build) and are put in place by post-build, so there are no packages here.
