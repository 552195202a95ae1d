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
        more: "More: name, time, VLAN, IPv6, 802.1X", "Mehr: Name, Zeit, VLAN, IPv6, 802.1X";
        vlan_short: "VLAN", "VLAN";
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
        vlan: "VLAN", "VLAN";
        vlan_hint: "Its number, where the box is to use a tagged VLAN. Empty: none.",
            "Seine Nummer, wenn das Gerät ein markiertes VLAN nutzen soll. Leer: keines.";
        dot1x: "802.1X: the port asks who the box is", "802.1X: Der Anschluss fragt, wer das Gerät ist";
        dot1x_off: "no", "nein";
        dot1x_peap: "user and password (PEAP, MSCHAPv2)", "Benutzer und Passwort (PEAP, MSCHAPv2)";
        dot1x_tls: "certificate (EAP-TLS)", "Zertifikat (EAP-TLS)";
        dot1x_identity: "User name (identity)", "Benutzername (Identität)";
        dot1x_anonymous: "Outer identity", "Äußere Identität";
        dot1x_anonymous_hint: "The name that everyone on the cable can read. Empty: the user name.",
            "Der Name, den jeder auf dem Kabel lesen kann. Leer: der Benutzername.";
        dot1x_password: "802.1X password", "802.1X-Passwort";
        secret_hint: "It is not shown. Empty: it stays as it is.", "Wird nicht angezeigt. Leer: Es bleibt, wie es ist.";
        dot1x_authority: "Certificate of the authority", "Zertifikat der Zertifizierungsstelle";
        pem_hint: "As text (PEM): open the file and copy all of it.", "Als Text (PEM): die Datei öffnen und alles kopieren.";
        dot1x_server: "Name of the network's server", "Name des Servers im Netzwerk";
        dot1x_server_hint: "As it stands in its certificate. Empty: any that the authority knows.",
            "Wie er in dessen Zertifikat steht. Leer: jeder, den die Zertifizierungsstelle kennt.";
        dot1x_certificate: "Certificate of the box", "Zertifikat des Geräts";
        dot1x_key: "Private key of the box", "Privater Schlüssel des Geräts";
        dot1x_key_password: "Password of the key", "Passwort des Schlüssels";
        dot1x_passed: "the port lets the box in", "der Anschluss lässt das Gerät ein";
        dot1x_pending: "the port has not let the box in", "der Anschluss hat das Gerät nicht eingelassen";
        dot1x_impossible: "not possible: the program for it does not answer", "nicht möglich: Das Programm dafür antwortet nicht";
        try_it: "Try", "Ausprobieren";
        at_start: "At the next start", "Beim nächsten Start";
        at_start_text: "“At the next start” is for a box that moves to another network: nothing changes now. When it is switched on \
            there, it uses these settings, and you have 30 minutes to open it at its new address. Otherwise the present ones return.",
            "„Beim nächsten Start“ ist für ein Gerät, das in ein anderes Netz umzieht: Jetzt ändert sich nichts. Wird es dort \
            eingeschaltet, nutzt es diese Einstellungen, und Sie haben 30 Minuten, es unter der neuen Adresse zu öffnen. Sonst \
            kehren die jetzigen zurück.";
        planned: "At the next start", "Beim nächsten Start";
        planned_text: "When the box starts the next time, it tries {}. It has to be opened there within 30 minutes, or the present \
            settings return.",
            "Wenn das Gerät das nächste Mal startet, probiert es {}. Es muss dort innerhalb von 30 Minuten geöffnet werden, sonst \
            kehren die jetzigen Einstellungen zurück.";
        plugging: "The box has started with the planned settings and waits for a network cable.",
            "Das Gerät ist mit den geplanten Einstellungen gestartet und wartet auf ein Netzwerkkabel.";
        awaiting_instead: "The box uses the new settings in place of the former ones. Open it at its new address to keep them:",
            "Das Gerät nutzt die neuen Einstellungen anstelle der bisherigen. Öffnen Sie es unter der neuen Adresse, um sie zu \
            behalten:";
        instead: "Meanwhile the box does not answer at its former address, so this page may stand still. If you do nothing, it comes \
            back by itself.",
            "Währenddessen antwortet das Gerät nicht unter der bisherigen Adresse; diese Seite kann also stillstehen. Tun Sie \
            nichts, kommt es von selbst zurück.";
        log: "Changes of the network", "Änderungen am Netzwerk";
        log_text: "What was tried, by whom, and what came of it; newest first. The times are those of the box's clock.",
            "Was von wem ausprobiert wurde und was daraus wurde; das Neueste zuerst. Die Zeiten sind die der Uhr des Geräts.";
        log_empty: "Nothing has been changed so far.", "Bisher wurde nichts geändert.";
        log_what: "What", "Was";
        log_who: "Who", "Wer";
        log_when: "When", "Wann";
        log_begun: "Tried: {}", "Ausprobiert: {}";
        log_planned: "Planned for the next start: {}", "Für den nächsten Start geplant: {}";
        log_withdrawn: "No longer planned: {}", "Nicht mehr geplant: {}";
        log_activated: "Begun at a start, as planned: {}", "Wie geplant beim Start begonnen: {}";
        log_provisioned: "Taken from agent.toml on a stick or card: {}", "Aus agent.toml von Stick oder Karte übernommen: {}";
        force: "I have read this; try it all the same", "Das habe ich gelesen; trotzdem ausprobieren";
        promise: "Nothing can go wrong: the change is kept only once you have reached the box at its new address. Otherwise \
            everything is as before after two minutes.",
            "Es kann nichts schiefgehen: Die Änderung bleibt nur, wenn Sie das Gerät unter der neuen Adresse erreicht haben. Sonst ist \
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
        settling: "The box is still bringing up its network, after a start or the last change. Nothing was changed; try again in {} s.",
            "Das Gerät richtet nach einem Start oder der letzten Änderung noch sein Netzwerk ein. Es wurde nichts geändert; \
            versuchen Sie es in {} s noch einmal.";
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
        warn_no_authority: "Without the certificate of the authority anyone can pose as the network's server and get the password.",
            "Ohne das Zertifikat der Zertifizierungsstelle kann sich jeder als Server des Netzwerks ausgeben und an das Passwort kommen.";
        fault_not_a_vlan: "“{}” is no number from 1 to 4094.", "„{}“ ist keine Zahl von 1 bis 4094.";
        fault_too_long: "This has more than 200 characters, or some that cannot be typed.",
            "Das hat mehr als 200 Zeichen oder solche, die man nicht tippen kann.";
        fault_not_a_certificate: "This is no certificate. It begins with -----BEGIN CERTIFICATE----- and has to be copied whole.",
            "Das ist kein Zertifikat. Es beginnt mit -----BEGIN CERTIFICATE----- und muss ganz kopiert werden.";
        fault_not_a_key: "This is no private key. It begins with -----BEGIN and PRIVATE KEY----- and has to be copied whole.",
            "Das ist kein privater Schlüssel. Er beginnt mit -----BEGIN und PRIVATE KEY----- und muss ganz kopiert werden.";
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
