//! The words of the manager's pages.

webkit::texts! {
    /// Words of the manager's pages.
    pub Texts {
        // Everywhere
        fleet: "Fleet", "Flotte";
        customers: "Customers", "Kunden";
        customer: "Customer", "Kunde";
        site: "Site", "Standort";
        sites: "Sites", "Standorte";
        agents: "Agents", "Agenten";
        agent: "Agent", "Agent";
        device: "Device", "Gerät";
        devices: "Devices", "Geräte";
        status: "Status", "Status";
        name: "Name", "Name";
        create: "Create", "Anlegen";
        rename: "Rename", "Umbenennen";
        csv: "CSV", "CSV";

        // Fleet
        all: "All devices", "Alle Geräte";
        critical: "Need attention", "Störung";
        warning: "Warning", "Warnung";
        good: "Good", "In Ordnung";
        unknown: "Unknown", "Unbekannt";
        silent: "Silent", "Antworten nicht";
        search: "Search", "Suchen";
        search_hint: "Model, serial number, address, place …", "Modell, Seriennummer, Adresse, Ort …";
        all_customers: "All customers", "Alle Kunden";
        serial: "Serial number", "Seriennummer";
        address: "Address", "Adresse";
        supplies: "Toner", "Toner";
        total: "Total", "Gesamtzähler";
        read: "Read", "Gelesen";
        nothing_found: "No device fits", "Kein Gerät passt dazu";
        nothing_found_text: "Try fewer words or another state.",
            "Versuchen Sie es mit weniger Wörtern oder einem anderen Zustand.";
        show_all: "Show all devices", "Alle Geräte zeigen";
        page_of: "Page {} of {}", "Seite {} von {}";
        previous: "Back", "Zurück";
        next: "Next", "Weiter";
        welcome: "No devices yet", "Noch keine Geräte";
        welcome_customers: "Devices appear here as soon as an agent has reported. Begin with a customer and a site, make an \
            enrolment code there and give it to the agent.",
            "Geräte erscheinen hier, sobald ein Agent berichtet hat. Legen Sie zuerst einen Kunden und einen Standort an, \
            erzeugen Sie dort einen Anmeldecode und geben Sie ihn dem Agenten.";
        welcome_agents: "An agent is enrolled; its first report shows its devices here. If none comes, look at the agent's \
            own page: it says what it finds and whether it reaches this manager.",
            "Ein Agent ist angemeldet; mit seinem ersten Bericht stehen seine Geräte hier. Kommt keiner, sehen Sie auf der \
            Seite des Agenten nach: Dort steht, was er findet und ob er diesen Manager erreicht.";
        create_customer: "Create a customer", "Kunden anlegen";

        // Customers, sites
        customers_empty: "No customers yet", "Noch keine Kunden";
        customers_empty_text: "A customer has one or more sites; at each site stands an agent. Enter the first customer's \
            name above.",
            "Ein Kunde hat einen oder mehrere Standorte; an jedem steht ein Agent. Tragen Sie oben den Namen des ersten \
            Kunden ein.";
        new_customer: "New customer", "Neuer Kunde";
        customer_created: "The customer is created. Next, create a site.",
            "Der Kunde ist angelegt. Legen Sie als Nächstes einen Standort an.";
        new_site: "New site", "Neuer Standort";
        sites_empty: "No sites yet", "Noch keine Standorte";
        sites_empty_text: "An agent belongs to a site: a building or an office with a network. Enter the first one above.",
            "Ein Agent gehört zu einem Standort: einem Gebäude oder Büro mit einem Netz. Tragen Sie oben den ersten ein.";
        site_created: "The site is created. Next, make an enrolment code for its agent.",
            "Der Standort ist angelegt. Erzeugen Sie als Nächstes einen Anmeldecode für seinen Agenten.";
        renamed: "The name is changed.", "Der Name ist geändert.";
        name_taken: "{} exists already.", "{} gibt es schon.";
        name_bad: "A name has 1 to 100 characters in one line.", "Ein Name hat 1 bis 100 Zeichen in einer Zeile.";
        show_devices: "Show devices", "Geräte zeigen";

        // Enrolment codes
        codes: "Enrolment codes", "Anmeldecodes";
        codes_text: "A code admits one agent, once, within 30 days. It also tells the agent this manager's key, so that no \
            one can pose as the manager.",
            "Ein Code meldet einen Agenten an, einmal, innerhalb von 30 Tagen. Er nennt dem Agenten auch den Schlüssel \
            dieses Managers, damit sich niemand für ihn ausgeben kann.";
        make_code: "Make enrolment code", "Anmeldecode erzeugen";
        new_code: "New enrolment code", "Neuer Anmeldecode";
        new_code_text: "This code is shown once: it is kept here only as a digest. Give it to the agent in one of these ways.",
            "Dieser Code wird nur jetzt gezeigt: hier bleibt nur seine Prüfsumme. Geben Sie ihn dem Agenten auf einem \
            dieser Wege.";
        way_page: "On the agent's page: open “Manager connection”, paste address and code.",
            "Auf der Seite des Agenten: „Manager-Verbindung“ öffnen, Adresse und Code einfügen.";
        way_file: "As a file: download agent.toml and put it on the card (first partition) before the first start, or start \
            the agent with it.",
            "Als Datei: agent.toml herunterladen und vor dem ersten Start auf die Karte (erste Partition) legen, oder den \
            Agenten damit starten.";
        url: "Address of this manager", "Adresse dieses Managers";
        code: "Enrolment code", "Anmeldecode";
        copy: "Copy", "Kopieren";
        copied: "Copied", "Kopiert";
        download: "Download agent.toml", "agent.toml herunterladen";
        back_to_site: "Back to the site", "Zurück zum Standort";
        local_url: "You opened this page by an address that only this machine understands. Open it by the name or address \
            under which agents reach it, or start the manager with --url.",
            "Sie haben diese Seite unter einer Adresse geöffnet, die nur dieser Rechner versteht. Öffnen Sie sie unter dem \
            Namen oder der Adresse, unter der Agenten sie erreichen, oder starten Sie den Manager mit --url.";
        code_bad: "This is not an enrolment code of this manager", "Das ist kein Anmeldecode dieses Managers";
        code_bad_text: "Make a new one on the site's page.", "Erzeugen Sie auf der Seite des Standorts einen neuen.";
        made: "Made", "Erzeugt";
        by: "by {}", "von {}";
        expires: "Good until", "Gültig bis";
        code_open: "Open", "Offen";
        code_used: "Used by {}", "Benutzt von {}";
        code_expired: "Expired", "Abgelaufen";
        code_revoked: "Revoked", "Zurückgezogen";
        revoke: "Revoke", "Zurückziehen";
        revoked: "The code is revoked.", "Der Code ist zurückgezogen.";
        no_codes: "No code has been made for this site yet.", "Für diesen Standort wurde noch kein Code erzeugt.";

        // Agents
        agents_empty: "No agents yet", "Noch keine Agenten";
        agents_empty_text: "Make an enrolment code on a site's page and give it to the agent.",
            "Erzeugen Sie auf der Seite eines Standorts einen Anmeldecode und geben Sie ihn dem Agenten.";
        site_agents_empty: "No agent is enrolled at this site.", "An diesem Standort ist kein Agent angemeldet.";
        to_customers: "To the customers", "Zu den Kunden";
        last_report: "Last report", "Letzter Bericht";
        never: "never", "noch nie";
        version: "Version", "Version";
        enrolled: "Enrolled", "Angemeldet";
        reporting: "Reporting", "Berichtet";
        agent_silent: "Silent", "Verstummt";
        agent_waiting: "Waiting", "Wartet";
        agent_replaced: "Replaced", "Ersetzt";
        silent_agents: "{} of {} agents have not reported for more than a day. What their devices show may be out of date.",
            "{} von {} Agenten haben seit mehr als einem Tag nicht berichtet. Was ihre Geräte zeigen, kann veraltet sein.";

        // Meter questions
        to_decide: "To decide", "Zu entscheiden";
        nothing_to_decide: "Nothing to decide", "Nichts zu entscheiden";
        nothing_to_decide_text: "Where a counter goes backwards or jumps further than the device can print, it is asked here \
            what is to be billed; until then nothing is billed across the break. Where nobody can know whether two devices are \
            one, that is asked too; until then they are two.",
            "Läuft ein Zähler rückwärts oder springt er weiter, als das Gerät drucken kann, wird hier gefragt, was abgerechnet \
            wird; bis dahin wird über den Bruch hinweg nichts abgerechnet. Wo niemand wissen kann, ob zwei Geräte eines sind, \
            wird auch das gefragt; bis dahin sind es zwei.";
        meters: "Meters", "Zähler";
        devices_to_decide: "One device or two?", "Ein Gerät oder zwei?";
        open_questions: "There is something to decide: {}", "Es ist etwas zu entscheiden: {}";
        known_before: "Known before", "Schon bekannt";
        came_later: "Came later", "Kam dazu";
        same_device: "The same device", "Dasselbe Gerät";
        same_means: "The history of the one known before goes on with the readings of the other.",
            "Der Verlauf des schon bekannten geht mit den Ständen des anderen weiter.";
        two_devices: "Two devices", "Zwei Geräte";
        two_mean: "Both stay as they are, and nobody is asked again.",
            "Beide bleiben, wie sie sind, und es wird nicht mehr gefragt.";
        mac: "Network card", "Netzwerkkarte";
        log: "What happened", "Was geschah";
        when: "When", "Wann";
        what: "What", "Was";
        other_agent: "Read by the agent {} from here on; by {} before", "Ab hier vom Agenten {} gelesen; vorher von {}";
        replaced: "Replaced by {}", "Ersetzt durch {}";
        meter_board: "All counters went backwards at once: the mainboard was probably swapped.",
            "Alle Zähler liefen auf einmal rückwärts: Vermutlich wurde die Hauptplatine getauscht.";
        meter_backwards: "A counter went backwards.", "Ein Zähler lief rückwärts.";
        meter_jumped: "A counter rose by more than the device can have printed in the time.",
            "Ein Zähler stieg um mehr, als das Gerät in der Zeit gedruckt haben kann.";
        bill_nothing: "Bill nothing across it", "Darüber hinweg nichts abrechnen";
        bill_nothing_means: "The new meter counts from its first reading on.", "Der neue Zähler zählt ab seinem ersten Stand.";
        bill_new: "Bill the new meter from nought ({} pages)", "Den neuen Zähler ab null abrechnen ({} Seiten)";
        bill_jump: "Bill the jump ({} pages)", "Den Sprung abrechnen ({} Seiten)";
        decided: "Decided.", "Entschieden.";
        decided_already: "That has been decided already.", "Das ist schon entschieden.";
        before: "Before", "Vorher";

        // Device
        removed: "The agent no longer watches this device (since {}). This is the last that it said.",
            "Der Agent beobachtet dieses Gerät nicht mehr (seit {}). Dies ist das Letzte, was es gesagt hat.";
        agent_is_silent: "The agent has not reported for more than a day: what stands here may be out of date.",
            "Der Agent hat seit mehr als einem Tag nicht berichtet: Was hier steht, kann veraltet sein.";
        history: "Counter history", "Zählerverlauf";
        history_empty: "One reading so far; a line is drawn as soon as there are two.",
            "Bisher ein Stand; sobald es zwei gibt, wird hier eine Linie gezeichnet.";
        history_none: "No counter has been read yet.", "Es wurde noch kein Zähler gelesen.";
        counter: "Counter", "Zähler";
        show: "Show", "Zeigen";
        value: "Value", "Stand";
        change: "Change", "Zuwachs";
        remark_backwards: "Lower than before: a new meter begins here, nothing is billed across it",
            "Niedriger als zuvor: Hier beginnt ein neuer Zähler, darüber hinweg wird nichts abgerechnet";
        remark_restarted: "Started again", "Neu begonnen";
        remark_doubtful: "Came late and fits neither neighbour; not counted",
            "Kam verspätet und passt zu keinem Nachbarn; zählt nicht";
        remark_jumped: "Higher than the device can have printed: a new meter begins here until someone decides",
            "Höher, als das Gerät gedruckt haben kann: Hier beginnt ein neuer Zähler, bis jemand entscheidet";
        remark_wrapped: "Went past the end of its 32 bits and goes on", "Über das Ende seiner 32 Bit gelaufen, zählt weiter";
        remark_returned: "The meter from before goes on", "Der frühere Zähler läuft weiter";
        remark_decided: "Decided: the new meter counts from here", "Entschieden: Der neue Zähler zählt ab hier";
        csv_counters: "All counters as CSV", "Alle Zähler als CSV";
        alert_history: "Alert history", "Verlauf der Meldungen";
        alerts_none: "No alert has been seen on this device yet.", "An diesem Gerät gab es noch keine Meldung.";
        alert: "Alert", "Meldung";
        alert_critical: "Critical", "Kritisch";
        from: "From", "Von";
        until: "Until", "Bis";
        still: "still open", "noch offen";
        first_seen: "first seen", "zuerst gesehen";
    }
}
