# Where things lie on the card. The one place; sourced by post-build, post-image and scripts.
# shellcheck shell=bash disable=SC2034

# The disk's signature in the partition table, from which Linux makes the identifiers of the partitions: 44525557-01 … All cards have
# the same.
disk_signature=44525557
# Boot loader's environment, twice, before the first partition (uboot/common.config says the same).
env_offset=0x100000
env_offset_redundant=0x200000
env_size=0x4000
boot_offset_mib=4
boot_size_mib=60
slot_size_mib=96
# Grown to the end of the card at the first start.
data_size_mib=64
