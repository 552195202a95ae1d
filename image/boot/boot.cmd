# Chooses the slot, counts the try, starts its kernel. Compiled into boot.scr on the FAT partition; U-Boot sets ${dev} to the
# card it came from. A slot has three tries; whoever is healthy sets its counter back (RAUC, mark-good). A kernel that cannot
# be loaded costs no restart: the next slot is tried at once.
env load
test -n "${BOOT_ORDER}" || setenv BOOT_ORDER "A B"
test -n "${BOOT_A_LEFT}" || setenv BOOT_A_LEFT 3
test -n "${BOOT_B_LEFT}" || setenv BOOT_B_LEFT 3

for slot in ${BOOT_ORDER}; do
    setenv left 0
    if test "${slot}" = "A"; then setenv left ${BOOT_A_LEFT}; setenv part 2; fi
    if test "${slot}" = "B"; then setenv left ${BOOT_B_LEFT}; setenv part 3; fi
    if test ${left} -gt 0; then
        setexpr left ${left} - 1
        setenv BOOT_${slot}_LEFT ${left}
        saveenv
        echo "Slot ${slot}, ${left} tries left"
        part uuid mmc ${dev}:${part} uuid
        setenv bootargs "root=PARTUUID=${uuid} rootfstype=squashfs ro rootwait rauc.slot=${slot} panic=10 quiet console=ttyS1,115200 console=ttyAMA0,115200"
        if load mmc ${dev}:${part} ${kernel_addr_r} /boot/Image; then booti ${kernel_addr_r} - ${fdt_addr}; fi
        if load mmc ${dev}:${part} ${kernel_addr_r} /boot/zImage; then bootz ${kernel_addr_r} - ${fdt_addr}; fi
    fi
done

# Nothing left to try: give every slot its tries back and start over, for what was wrong may have been the moment.
echo "No slot could be started; trying all of them again"
setenv BOOT_ORDER "A B"
setenv BOOT_A_LEFT 3
setenv BOOT_B_LEFT 3
saveenv
sleep 5
reset
