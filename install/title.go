package install

import "github.com/souk-dev/souk/sandbox/phrase"

// title says in a few words what the steps do: "Install Backup 1.4.2, 1 dependency and update
// Mailer to 2.0.1".
func title(steps []Step) phrase.Phrase {
	var parts []phrase.Phrase
	dependencies := 0
	for _, action := range []Action{ActInstall, ActUpdate, ActDowngrade, ActReplace, ActKeep, ActRemove} {
		var list []Step
		for _, st := range steps {
			switch {
			case st.Action != action:
			case action == ActInstall && !st.Root:
				dependencies++
			default:
				list = append(list, st)
			}
		}
		switch {
		case len(list) == 1:
			parts = append(parts, one(list[0]))
		case len(list) > 1:
			parts = append(parts, several(action, len(list)))
		}
		switch {
		case action != ActInstall || dependencies == 0:
		case len(parts) == 0:
			parts = append(parts, phrase.N("title.dependencies.only", "Install {0} dependency", "Install {0} dependencies", dependencies))
		default:
			parts = append(parts, phrase.N("title.dependencies", "{0} dependency", "{0} dependencies", dependencies))
		}
	}
	switch len(parts) {
	case 0:
		return phrase.Of("title.nothing", "Nothing to do")
	case 1:
		return parts[0]
	}
	all := make([]phrase.Arg, len(parts))
	for i, part := range parts {
		all[i] = phrase.Inside(part)
	}
	all[0].Lower = false
	return phrase.Of("title.several", "{0}", phrase.And(all))
}

// one names what a step does to which plugin.
func one(st Step) phrase.Phrase {
	name, version := st.Release.Manifest.Name, st.Release.Version
	if name == "" {
		name = string(st.Release.Plugin)
	}
	switch st.Action {
	case ActInstall:
		return phrase.Of("title.install", "Install {0} {1}", name, version)
	case ActUpdate:
		return phrase.Of("title.update", "Update {0} to {1}", name, version)
	case ActDowngrade:
		return phrase.Of("title.downgrade", "Downgrade {0} to {1}", name, version)
	case ActReplace:
		return phrase.Of("title.replace", "Replace {0} {1}", name, version)
	case ActKeep:
		return phrase.Of("title.keep", "Keep {0} {1}", name, version)
	}
	return phrase.Of("title.remove", "Remove {0}", name)
}

func several(a Action, n int) phrase.Phrase {
	switch a {
	case ActInstall:
		return phrase.Of("title.install.many", "Install {0} plugins", n)
	case ActUpdate:
		return phrase.Of("title.update.many", "Update {0} plugins", n)
	case ActDowngrade:
		return phrase.Of("title.downgrade.many", "Downgrade {0} plugins", n)
	case ActReplace:
		return phrase.Of("title.replace.many", "Replace {0} plugins", n)
	case ActKeep:
		return phrase.Of("title.keep.many", "Keep {0} plugins", n)
	}
	return phrase.Of("title.remove.many", "Remove {0} plugins", n)
}
