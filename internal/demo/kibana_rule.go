package demo

// sampleRule is a rule that could have made a detection. All of them are made up.
type sampleRule struct {
	name, description string
	severity          string
	risk              int
	query             string
	category, action  string
	dataset           string
	processes         []string
	tags              []string
	threat            []sampleThreat
	fields            []string // what it groups by, finds new, or suppresses by
}

// sampleThreat is an ATT&CK tactic with at most one technique and one subtechnique.
type sampleThreat struct{ tacticID, tactic, techniqueID, technique, subID, sub string }

type sampleHost struct{ name, os, version, address string }

var sampleHosts = []sampleHost{
	{"web-01", "Debian GNU/Linux", "12 (bookworm)", "10.20.0.11"},
	{"web-02", "Debian GNU/Linux", "12 (bookworm)", "10.20.0.12"},
	{"db-primary", "Rocky Linux", "9.4", "10.20.1.5"},
	{"bastion", "Ubuntu", "24.04", "10.20.9.1"},
	{"fin-laptop-17", "Windows 11", "23H2", "10.40.3.17"},
	{"hr-laptop-04", "Windows 11", "23H2", "10.40.2.4"},
	{"dc01", "Windows Server 2022", "21H2", "10.10.0.2"},
	{"build-agent-3", "Ubuntu", "22.04", "10.30.5.33"},
	{"ceo-macbook", "macOS", "14.6", "10.40.1.2"},
}

var (
	sampleUsers    = []string{"alice", "bob", "carol.jones", "svc-backup", "root", "administrator", "deploy", "m.ng"}
	sampleParents  = []string{"bash", "explorer.exe", "systemd", "cmd.exe", "launchd", "sshd"}
	sampleNetworks = []string{"203.0.113", "198.51.100", "192.0.2", "10.99.7"}
)

var (
	bruteForce  = sampleThreat{"TA0006", "Credential Access", "T1110", "Brute Force", "T1110.001", "Password Guessing"}
	dumping     = sampleThreat{"TA0006", "Credential Access", "T1003", "OS Credential Dumping", "T1003.001", "LSASS Memory"}
	scripting   = sampleThreat{"TA0002", "Execution", "T1059", "Command and Scripting Interpreter", "T1059.001", "PowerShell"}
	accounts    = sampleThreat{"TA0001", "Initial Access", "T1078", "Valid Accounts", "", ""}
	persistence = sampleThreat{"TA0003", "Persistence", "T1053", "Scheduled Task/Job", "T1053.003", "Cron"}
	lateral     = sampleThreat{"TA0008", "Lateral Movement", "T1021", "Remote Services", "T1021.004", "SSH"}
	command     = sampleThreat{"TA0011", "Command and Control", "T1071", "Application Layer Protocol", "", ""}
	exfiltrate  = sampleThreat{"TA0010", "Exfiltration", "", "", "", ""}
	impact      = sampleThreat{"TA0040", "Impact", "T1486", "Data Encrypted for Impact", "", ""}
)

var sampleRules = map[string][]sampleRule{
	string(QueryDetection): {
		{
			"Credential store opened by an unusual program", "A program that is neither part of the system nor an agent opened the memory of the credential store.", "high", 73,
			`event.category:process and process.name:(procview.exe or memgrab.exe)`, "process", "opened", "windows.sysmon",
			[]string{"procview.exe", "memgrab.exe"},
			[]string{"Windows", "Credentials"},
			[]sampleThreat{dumping},
			nil,
		},
		{
			"Web server started a shell", "A child of the web server is an interactive shell, which a site does not need.", "high", 71,
			`event.category:process and process.parent.name:nginx and process.name:(sh or bash)`, "process", "exec", "auditd",
			[]string{"sh", "bash"},
			[]string{"Linux", "Web"},
			[]sampleThreat{scripting, accounts},
			nil,
		},
		{
			"Cron table changed outside the change window", "A cron table was written while no change was planned.", "medium", 47,
			`event.category:file and file.path:/etc/cron*`, "file", "modified", "auditd",
			[]string{"vim", "crontab"},
			[]string{"Linux", "Persistence"},
			[]sampleThreat{persistence},
			nil,
		},
		{
			"Administrator signed in from a new network", "An administrator's sign-in came from a network that is not ours.", "low", 21,
			`event.category:authentication and user.roles:admin`, "authentication", "logged-in", "system.auth",
			[]string{"sshd"},
			[]string{"Identity"},
			[]sampleThreat{accounts},
			nil,
		},
		{
			"Files renamed in bulk with one new suffix", "Several hundred files were given the same unknown suffix within a minute.", "critical", 97,
			`event.category:file and event.action:rename and file.extension:locked`, "file", "rename", "endpoint.events.file",
			[]string{"svchst.exe"},
			[]string{"Ransom", "Windows"},
			[]sampleThreat{impact},
			nil,
		},
		{
			"Security tool stopped", "The service of a security tool was stopped by hand.", "medium", 55,
			`event.category:process and event.action:service-stopped`, "process", "service-stopped", "windows.system",
			[]string{"sc.exe", "systemctl"},
			[]string{"Defence"},
			nil, nil,
		},
	},
	string(LearningDetection): {
		{
			"Unusual amount of data sent at night", "The model has not seen this host send so much at this hour.", "medium", 50,
			"", "network", "flow", "packet.flow",
			[]string{"curl", "rclone"},
			[]string{"Model", "Network"},
			[]sampleThreat{exfiltrate},
			nil,
		},
	},
	string(ThresholdDetection): {
		{
			"Many failed sign-ins of one user", "One account failed to sign in more often than people mistype.", "medium", 52,
			`event.category:authentication and event.outcome:failure`, "authentication", "ssh_login", "system.auth",
			[]string{"sshd"},
			[]string{"Identity", "Brute force"},
			[]sampleThreat{bruteForce},
			[]string{"user.name"},
		},
		{
			"One address tries many accounts", "An address tried to sign in to many accounts.", "high", 70,
			`event.category:authentication and event.outcome:failure`, "authentication", "ssh_login", "system.auth",
			[]string{"sshd"},
			[]string{"Identity", "Spraying"},
			[]sampleThreat{bruteForce},
			[]string{"source.ip", "host.name"},
		},
	},
	string(SequenceDetection): {
		{
			"Download, then execution, then a call home", "A file was fetched, run within a minute, and opened a connection.", "high", 75,
			`sequence by host.id with maxspan=1m [file where event.action == "creation"] [process where event.type == "start"] [network where true]`,
			"process", "start", "endpoint.events.process",
			[]string{"update.bin", "invoice.exe"},
			[]string{"Sequence"},
			[]sampleThreat{scripting, command},
			nil,
		},
	},
	string(BlockDetection): {
		{
			"Download, then execution, then a call home", "A file was fetched, run within a minute, and opened a connection.", "high", 75,
			`sequence by host.id with maxspan=1m [file where event.action == "creation"] [process where event.type == "start"] [network where true]`,
			"process", "start", "endpoint.events.process",
			[]string{"update.bin", "invoice.exe"},
			[]string{"Sequence"},
			[]sampleThreat{scripting, command},
			nil,
		},
	},
	string(IndicatorDetection): {
		{
			"Connection to an address on the watch list", "A host of ours connected to an address that a feed lists.", "high", 73,
			`event.category:network and destination.ip:*`, "network", "connection_attempted", "packet.flow",
			[]string{"chrome.exe", "curl"},
			[]string{"Indicators"},
			[]sampleThreat{command},
			[]string{"destination.ip"},
		},
	},
	string(NewTermsDetection): {
		{
			"First time a user runs this program", "The pair of user and program was not seen in the last fourteen days.", "low", 24,
			`event.category:process`, "process", "exec", "auditd",
			[]string{"nmap", "tcpdump", "gdb"},
			[]string{"Baseline"},
			[]sampleThreat{lateral},
			[]string{"user.name", "process.name"},
		},
		{
			"First sign-in of a user to this host", "The user was never seen on this host in the last fourteen days.", "medium", 43,
			`event.category:authentication and event.outcome:success`, "authentication", "ssh_login", "system.auth",
			[]string{"sshd"},
			[]string{"Baseline", "Identity"},
			[]sampleThreat{lateral, accounts},
			[]string{"host.name"},
		},
	},
	string(SuppressedDetection): {
		{
			"Firewall rule broken repeatedly", "A host keeps trying what the firewall forbids.", "low", 18,
			`event.category:network and event.action:denied`, "network", "denied", "firewall.log",
			[]string{"svc.exe", "python3"},
			[]string{"Network", "Noise"},
			[]sampleThreat{command},
			[]string{"host.name"},
		},
	},
	string(LanguageDetection): {
		{
			"Hosts with more than ten distinct users in an hour", "More people used a host than it has seats.", "medium", 48,
			`FROM logs-* | STATS users = COUNT_DISTINCT(user.name) BY host.name | WHERE users > 10`, "authentication", "ssh_login", "system.auth",
			[]string{"sshd"},
			[]string{"Aggregation"},
			nil, nil,
		},
	},
	string(DiscoveryDetection): {
		{
			"Attack discovery", "Several detections that tell one story.", "critical", 792,
			"", "process", "start", "endpoint.alerts",
			[]string{"update.bin"},
			[]string{"Attack discovery"},
			[]sampleThreat{scripting, lateral, exfiltrate},
			nil,
		},
	},
}
