import ast,sys,builtins
for f in sys.argv[1:]:
    t=ast.parse(open(f).read()); imp=set(); used=set(); defd=set(dir(builtins))|{'__file__'}
    for n in ast.walk(t):
        if isinstance(n,(ast.Import,ast.ImportFrom)):
            for a in n.names: imp.add((a.asname or a.name).split('.')[0])
        elif isinstance(n,ast.Name):
            (used if isinstance(n.ctx,ast.Load) else defd).add(n.id)
        elif isinstance(n,(ast.FunctionDef,ast.ClassDef)):
            defd.add(n.name)
            if isinstance(n,ast.FunctionDef):
                for a in n.args.args+n.args.kwonlyargs+[x for x in (n.args.vararg,n.args.kwarg) if x]: defd.add(a.arg)
        elif isinstance(n,ast.arg): defd.add(n.arg)
        elif isinstance(n,ast.ExceptHandler) and n.name: defd.add(n.name)
    print(f,'unused',imp-used,'undefined',used-imp-defd)
