// Reads a dashboard from standard input as strictly as Grafana's own types say: unknown, missing and ill-typed fields of the
// dashboard, of its panels and of their queries are told, and the exit code is 1.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// What the strict parser of dashboards passes over.
type parts struct {
	Panels []struct {
		Type        string
		Title       string
		FieldConfig json.RawMessage
		Targets     []struct{ Datasource struct{ Type string } }
	}
}

func check(raw []byte) (told []error) {
	note := func(where string, err error) {
		// The generated parsers return an empty list where all is well.
		if list := (cog.BuildErrors{}); err != nil && !(errors.As(err, &list) && len(list) == 0) {
			told = append(told, fmt.Errorf("%s: %w", where, err))
		}
	}
	note("strictly", new(dashboard.Dashboard).UnmarshalJSONStrict(raw))
	board, seen := dashboard.Dashboard{}, parts{}
	note("a dashboard", errors.Join(json.Unmarshal(raw, &board), json.Unmarshal(raw, &seen)))
	note("its values", board.Validate())
	for _, panel := range seen.Panels {
		if panel.FieldConfig != nil {
			note("fields of "+panel.Title, new(dashboard.FieldConfigSource).UnmarshalJSONStrict(panel.FieldConfig))
		}
		if _, known := cog.ConfigForPanelcfgVariant(panel.Type); !known && panel.Type != "row" {
			note(panel.Title, fmt.Errorf("type %q is not looked at", panel.Type))
		}
		for _, target := range panel.Targets {
			if kind := target.Datasource.Type; kind != "prometheus" {
				note(panel.Title, fmt.Errorf("a query of %q is not looked at", kind))
			}
		}
	}
	return told
}

func main() {
	runtime := cog.NewRuntime()
	runtime.RegisterPanelcfgVariant(timeseries.VariantConfig())
	runtime.RegisterPanelcfgVariant(statetimeline.VariantConfig())
	runtime.RegisterDataqueryVariant(prometheus.VariantConfig())
	raw, err := io.ReadAll(os.Stdin)
	if told := append(check(raw), err); errors.Join(told...) != nil {
		fmt.Fprintln(os.Stderr, errors.Join(told...))
		os.Exit(1)
	}
}
