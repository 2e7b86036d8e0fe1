package publishing

// ModuleImports is for the fuzz test.
var ModuleImports = moduleImports
