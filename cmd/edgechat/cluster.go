package main

import (
	"context"
	"errors"
	"io"

	"edgechat/admin"
	"edgechat/internal/settings"
	"edgechat/server"
)

func clusterCommand() command {
	return command{
		name: "cluster", summary: "look after a cluster: several servers that serve the same rooms",
		sub: []command{
			{name: "cluster status", summary: "say how a running node and its engine stand, and which other nodes it hears", settings: new(adminOptions).table, run: clusterStatus},
			{name: "cluster init", summary: "print the SQL that makes the tables of PostgreSQL, for an administrator to run",
				about:    "A node makes them by itself if its user may create a schema. Redis needs nothing.\n",
				settings: new(clusterOptions).table, run: clusterInit},
		},
	}
}

func clusterStatus(ctx context.Context, a *app) error {
	var o adminOptions
	if _, err := a.adminFlags(o.table(a.getenv)); err != nil {
		return err
	}
	st, err := admin.NewClient(o.socket).Status(ctx)
	if err == nil && st.Cluster == nil {
		return &failure{errs: []error{errors.New("the server is alone: it was started without --cluster")}, code: 1}
	}
	return o.show(a, err, st.Cluster, func(w io.Writer) error { _, err := st.Cluster.WriteTo(w); return err })
}

// clusterOptions are the settings of cluster init.
type clusterOptions struct {
	server.Config
	role string
}

func (o *clusterOptions) table(func(string) string) []settings.Setting {
	return []settings.Setting{
		clusterAddress(settings.Setting{Name: "cluster", Takes: "ADDRESS", DefaultText: "none", Usage: "address of the engine, as serve has it"}, &o.Cluster),
		clusterName(settings.Setting{Name: "cluster-name", Takes: "NAME", Default: server.DefaultClusterName, Usage: "name of the cluster, as serve has it"}, &o.ClusterName),
		roleName(settings.Setting{Name: "role", Takes: "NAME", Default: "edgechat", NoEnv: true, Usage: "user of PostgreSQL as whom the nodes connect"}, &o.role),
	}
}

// clusterInit prints, and changes nothing: whoever runs it reads it first.
func clusterInit(_ context.Context, a *app) error {
	a.warnOfStrays()
	var o clusterOptions
	if _, err := a.flagsAlone(o.table(a.getenv)); err != nil {
		return err
	}
	if o.Cluster == "" {
		return &failure{errs: []error{errors.New("there is no --cluster: name the engine")}, code: 2}
	}
	text, err := server.ClusterStatements(o.Config, o.role)
	if err != nil {
		return &failure{errs: []error{err}, code: 2}
	}
	_, err = io.WriteString(a.stdout, text)
	return err
}
