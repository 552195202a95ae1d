//! The words of the network page, which are many.

use webkit::texts;

texts! {
    /// Words of the page.
    pub(super) Texts {
        title: "Network", "Netzwerk";
        absent: "This agent runs on a machine of its own, which manages its network itself; there is nothing to set here. On the \
            appliance this page sets the address.",
            "Dieser Agent läuft auf einem Rechner, der sein Netzwerk selbst verwaltet; hier ist nichts einzustellen. Auf der \
            Appliance legt diese Seite die Adresse fest.";
        silent: "The network service does not answer at the moment. The network stays as it is; this page tries again by itself.",
            "Der Netzwerkdienst antwortet gerade nicht. Das Netzwerk bleibt, wie es ist; diese Seite versucht es von selbst wieder.";
        present: "At present", "Zurzeit";
        no_port: "No network port", "Kein Netzwerkanschluss";
        cable: "Connected", "Verbunden";
        no_cable: "No cable", "Kein Kabel";
        speed: "Speed", "Tempo";
        obtained: "Address", "Adresse";
        dhcp: "automatic (DHCP)", "automatisch (DHCP)";
        fixed: "fixed", "fest";
        addresses: "Answers at", "Antwortet unter";
        lease: "Lease", "Zuteilung";
        lease_of: "of {}", "von {}";
        lease_minutes: "of {}, {} min left", "von {}, noch {} min";
        lease_hours: "of {}, {} h left", "von {}, noch {} h";
        gateway: "Gateway", "Gateway";
        dns: "DNS servers", "DNS-Server";
        mac: "Hardware address", "Hardware-Adresse";
        names: "Name", "Name";
        keep: "Make this address permanent", "Diese Adresse fest einstellen";
        change: "Change", "Ändern";
        mode: "The address comes", "Die Adresse kommt";
        mode_dhcp: "automatically, from a DHCP server", "automatisch, von einem DHCP-Server";
        mode_static: "from here (fixed)", "von hier (fest)";
        address: "IPv4 address", "IPv4-Adresse";
        prefix: "Prefix or netmask", "Präfix oder Netzmaske";
        prefix_hint: "24 is 255.255.255.0", "24 ist 255.255.255.0";
        dns_hint: "Several are separated by blanks.", "Mehrere werden durch Leerzeichen getrennt.";
        more: "More: name, time, IPv6", "Mehr: Name, Zeit, IPv6";
        host_name: "Name of the box", "Name des Geräts";
        host_name_hint: "Empty: druckwart- and the end of the hardware address.",
            "Leer: druckwart- und das Ende der Hardware-Adresse.";
        ntp: "Time servers", "Zeitserver";
        ntp_hint: "Empty: what the DHCP server says, or the usual ones.", "Leer: was der DHCP-Server sagt, oder die üblichen.";
        ipv6: "IPv6", "IPv6";
        ipv6_auto: "automatic", "automatisch";
        ipv6_static: "fixed", "fest";
        ipv6_off: "link-local only", "nur Link-Local";
        ipv6_address: "IPv6 address with prefix", "IPv6-Adresse mit Präfix";
        ipv6_gateway: "IPv6 gateway", "IPv6-Gateway";
        try_it: "Try", "Ausprobieren";
        force: "I have read this; try it all the same", "Das habe ich gelesen; trotzdem ausprobieren";
        promise: "Nothing can go wrong: the present address stays until you have reached the box at the new one. Otherwise \
            everything is as before after two minutes.",
            "Es kann nichts schiefgehen: Die jetzige Adresse bleibt, bis Sie das Gerät unter der neuen erreicht haben. Sonst ist \
            nach zwei Minuten alles wie zuvor.";
        nothing_changed: "Nothing was changed. Please look at the fields that are marked.",
            "Es wurde nichts geändert. Bitte sehen Sie sich die markierten Felder an.";
        trial: "The change is being tried", "Die Änderung wird ausprobiert";
        checking: "Checking whether the address is free and the gateway answers. This takes up to 8 seconds.",
            "Es wird geprüft, ob die Adresse frei ist und das Gateway antwortet. Das dauert bis zu 8 Sekunden.";
        applying: "The new address is being added beside the present one.",
            "Die neue Adresse wird neben der jetzigen eingerichtet.";
        awaiting: "The box answers at the new address too. Open it there to keep the change:",
            "Das Gerät antwortet nun auch unter der neuen Adresse. Öffnen Sie es dort, um die Änderung zu behalten:";
        awaiting_lease: "Waiting for an address from the DHCP server. The present address stays meanwhile.",
            "Es wird auf eine Adresse vom DHCP-Server gewartet. Die jetzige Adresse bleibt so lange.";
        lingering: "Confirmed. The box is now here; the old address goes away in a moment:",
            "Bestätigt. Das Gerät ist nun hier; die alte Adresse verschwindet gleich:";
        left: "Back to the former settings in", "Zurück zu den bisherigen Einstellungen in";
        left_linger: "The old address goes in", "Die alte Adresse geht in";
        seconds: "s", "s";
        asks: "If your browser trusts the box there, this page goes there by itself.",
            "Wenn Ihr Browser dem Gerät dort vertraut, geht diese Seite von selbst dorthin.";
        other_subnet: "If the new address is in another network, bring your computer or the cable there first.",
            "Liegt die neue Adresse in einem anderen Netz, wechseln Sie zuerst mit Ihrem Rechner oder dem Kabel dorthin.";
        extend: "3 minutes more", "3 Minuten mehr";
        cancel: "Take it back", "Zurücknehmen";
        confirmed: "The change is kept", "Die Änderung gilt";
        confirmed_text: "You have reached the box at {}; from here on that is its address.",
            "Sie haben das Gerät unter {} erreicht; das ist von jetzt an seine Adresse.";
        not_confirmed: "This keeps no change", "Das bestätigt keine Änderung";
        wrong_address: "You reached the box at {}, which is not its new address. The change is kept by opening the new one.",
            "Sie haben das Gerät unter {} erreicht; das ist nicht die neue Adresse. Zum Behalten öffnen Sie die neue.";
        stale_link: "The link belongs to no change that is being tried at the moment. The network is as the network page shows it.",
            "Der Link gehört zu keiner Änderung, die gerade ausprobiert wird. Das Netzwerk ist so, wie die Netzwerkseite es zeigt.";
        to_the_pages: "To the network page", "Zur Netzwerkseite";
        busy: "Another change is being tried. Wait for its end or take it back.",
            "Es wird gerade eine andere Änderung ausprobiert. Warten Sie ihr Ende ab oder nehmen Sie sie zurück.";
        no_trial: "No change is being tried any more.", "Es wird keine Änderung mehr ausprobiert.";
        already_extended: "The time has been extended already.", "Die Zeit wurde schon verlängert.";
        refused_no_cable: "There is no cable in the network port, so the address cannot be checked. Nothing was changed.",
            "Im Netzwerkanschluss steckt kein Kabel; die Adresse kann nicht geprüft werden. Es wurde nichts geändert.";
        from_previous: "The last settings could not be read, so the ones before them are in force. Please check them and save again.",
            "Die letzten Einstellungen waren nicht lesbar; es gelten die davor. Bitte prüfen und neu speichern.";
        from_rescue: "The settings could not be read. The box uses DHCP and its automatic addresses until you set it anew.",
            "Die Einstellungen waren nicht lesbar. Das Gerät nutzt DHCP und seine automatischen Adressen, bis Sie es neu einstellen.";
        in_rescue: "The settings did not come up as they should, so the box uses DHCP beside them.",
            "Die Einstellungen ließen sich nicht einrichten; das Gerät nutzt daneben DHCP.";
        ended_committed: "The change is kept: {}.", "Die Änderung gilt: {}.";
        ended_in_use: "{} is in use by the device with the hardware address {}. Nothing was changed.",
            "{} wird schon von dem Gerät mit der Hardware-Adresse {} benutzt. Es wurde nichts geändert.";
        ended_warned: "Something speaks against these settings. Nothing was changed yet.",
            "Etwas spricht gegen diese Einstellungen. Es wurde noch nichts geändert.";
        ended_not_applied: "{} did not come up. The former settings are in force.",
            "{} ließ sich nicht einrichten. Es gelten die bisherigen Einstellungen.";
        ended_not_stored: "The change could not be saved; the storage may be full or damaged. The former settings are in force.",
            "Die Änderung ließ sich nicht speichern; der Speicher ist vielleicht voll oder defekt. Es gelten die bisherigen \
            Einstellungen.";
        ended_not_confirmed: "Nobody reached the box by {} in time. The former settings are in force.",
            "Niemand hat das Gerät rechtzeitig über {} erreicht. Es gelten die bisherigen Einstellungen.";
        ended_cancelled: "{} was taken back. The former settings are in force.",
            "{} wurde zurückgenommen. Es gelten die bisherigen Einstellungen.";
        ended_restarted: "The box restarted while {} was being tried. The former settings are in force.",
            "Das Gerät wurde neu gestartet, während {} ausprobiert wurde. Es gelten die bisherigen Einstellungen.";
        ended_reset: "The network was reset to DHCP.", "Das Netzwerk wurde auf DHCP zurückgesetzt.";
        warn_no_gateway: "Without a gateway the box reaches only its own subnet, and no manager beyond it.",
            "Ohne Gateway erreicht das Gerät nur sein eigenes Subnetz und keinen Manager dahinter.";
        warn_no_dns: "Without a DNS server the box finds no manager by name.",
            "Ohne DNS-Server findet das Gerät keinen Manager über seinen Namen.";
        warn_gateway: "The gateway does not answer. Is it switched on, and is its address right?",
            "Das Gateway antwortet nicht. Ist es eingeschaltet, und stimmt seine Adresse?";
        fault_missing: "Please fill this in.", "Bitte ausfüllen.";
        fault_unknown_word: "“{}” is not one of the choices.", "„{}“ steht nicht zur Wahl.";
        fault_not_an_address: "“{}” is no such address.", "„{}“ ist keine solche Adresse.";
        fault_not_a_prefix: "“{}” is neither a prefix from 1 to 30 nor a netmask.",
            "„{}“ ist weder ein Präfix von 1 bis 30 noch eine Netzmaske.";
        fault_not_a_prefix_6: "“{}” needs a prefix behind it, such as /64.", "„{}“ braucht ein Präfix dahinter, etwa /64.";
        fault_two_prefixes: "“{}” is another prefix than the one behind the address.",
            "„{}“ ist ein anderes Präfix als das hinter der Adresse.";
        fault_not_for_hosts: "No device can have the address “{}”.", "Kein Gerät kann die Adresse „{}“ haben.";
        fault_link_local: "“{}” is of the range that devices give themselves.",
            "„{}“ gehört zu dem Bereich, aus dem Geräte sich selbst Adressen geben.";
        fault_is_the_subnet: "“{}” is the subnet itself, not a device in it.", "„{}“ ist das Subnetz selbst und kein Gerät darin.";
        fault_is_the_broadcast: "“{}” is the broadcast address of the subnet.", "„{}“ ist die Broadcast-Adresse des Subnetzes.";
        fault_outside: "“{}” is not in the subnet of the address.", "„{}“ liegt nicht im Subnetz der Adresse.";
        fault_is_the_box: "“{}” is the address of the box itself.", "„{}“ ist die Adresse des Geräts selbst.";
        fault_not_a_name: "“{}” is no name. Letters, digits and hyphens make one.",
            "„{}“ ist kein Name. Er besteht aus Buchstaben, Ziffern und Bindestrichen.";
        fault_too_many: "At most four; “{}” is one too many.", "Höchstens vier; „{}“ ist einer zu viel.";
    }
}
