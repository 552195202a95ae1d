-- What waits to be reported is asked for every second: this saves reading the whole record of every device for it.
CREATE INDEX device_unreported ON device (urgent_since) WHERE unreported <> 0;
