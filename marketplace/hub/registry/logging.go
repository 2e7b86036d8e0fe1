package registry

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/sirupsen/logrus"
)

// logBridge carries what distribution logs with a context to a slog.Logger. The
// logger of logrus for the whole process is left alone.
type logBridge struct{ entry *logrus.Entry }

func newLogBridge(to *slog.Logger) *logBridge {
	l := logrus.New()
	l.SetOutput(io.Discard)
	l.SetFormatter(nothing{})
	l.AddHook(&hook{to})
	return &logBridge{logrus.NewEntry(l)}
}

// context makes distribution find our logger in ctx. Its key for that is in an
// internal package, so it is known by name; a test notices when that changes.
func (b *logBridge) context(ctx context.Context) context.Context {
	return &logContext{ctx, b.entry}
}

type logContext struct {
	context.Context
	entry *logrus.Entry
}

const (
	loggerKeyPackage = "github.com/distribution/distribution/v3/internal/dcontext"
	loggerKeyName    = "loggerKey"
)

func (c *logContext) Value(key any) any {
	if t := reflect.TypeOf(key); t != nil && t.Kind() == reflect.Struct && t.Name() == loggerKeyName && t.PkgPath() == loggerKeyPackage {
		return c.entry
	}
	return c.Context.Value(key)
}

// nothing formats to nothing: the hook has done it.
type nothing struct{}

func (nothing) Format(*logrus.Entry) ([]byte, error) { return nil, nil }

type hook struct{ to *slog.Logger }

func (h *hook) Levels() []logrus.Level { return logrus.AllLevels }

// Fire implements logrus.Hook. Distribution's own levels are those of a daemon: an
// access log at info, a missing token at warn, every 404 at error.
func (h *hook) Fire(e *logrus.Entry) error {
	level := slog.LevelDebug
	status, answered := e.Data["http.response.status"].(int)
	switch client := answered && status < http.StatusInternalServerError || strings.HasPrefix(e.Message, "error authorizing context"); {
	case client:
	case e.Level <= logrus.ErrorLevel:
		level = slog.LevelError
	case e.Level == logrus.WarnLevel:
		level = slog.LevelWarn
	}
	ctx := e.Context
	if ctx == nil {
		ctx = context.Background()
	}
	if !h.to.Enabled(ctx, level) {
		return nil
	}
	attrs := make([]slog.Attr, 0, len(e.Data))
	for _, k := range slices.Sorted(maps.Keys(e.Data)) {
		switch k {
		case "go.version", "http.request.uri", "http.request.referer": // nothing, an upload's state, whatever
		default:
			attrs = append(attrs, slog.Any(k, e.Data[k]))
		}
	}
	h.to.LogAttrs(ctx, level, "registry: "+e.Message, attrs...)
	return nil
}
